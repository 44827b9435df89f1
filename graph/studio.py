"""The graph for LangGraph Studio and ``langgraph dev``: the one that answers the phone, on demo data.

Not compiled: the server brings its own checkpointer and refuses a graph that has one.
"""

import os

from graph.builder import Services, build_graph
from knowledge.documents import FAQ_FOLDER, read_folder
from knowledge.intents import LocalIntentClassifier
from knowledge.retriever import ListRetriever
from knowledge.understanding import Understanding
from tools.backoffice_demo import DemoBackoffice
from tools.call_backs import MemoryCallBacks
from tools.gate import Gate

_backoffice = DemoBackoffice()

graph = build_graph(
    Services(
        backoffice=_backoffice,
        gate=Gate(_backoffice, os.urandom(32)),  # a Studio thread does not outlive the server
        retriever=ListRetriever(read_folder(FAQ_FOLDER)),
        classifier=Understanding(LocalIntentClassifier.train()),
        call_backs=MemoryCallBacks(),
    )
)
