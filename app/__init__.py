"""The only code that knows every other folder.

From the top floor down (an import contract holds it): the command line (``__main__``); ``rehearsal``, a whole
call with a scripted caller; ``serving``, the process that stays up; ``pages``, its HTTP; ``commands``,
``replay`` and ``evaluation``, which do one thing and end; ``wiring``, which picks every part that answers the
phone; ``settings``; and ``watching``, those who are told what happens on calls.
"""
