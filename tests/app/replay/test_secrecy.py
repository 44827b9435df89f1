"""What a caller may hear of a customer's file, in a replay."""

from app.replay.secrecy import Secrets
from tools.backoffice_demo import read_demo_data


def test_secrets_are_told_to_their_owner_only() -> None:
    secrets = Secrets(read_demo_data())
    value = "Votre contrat vaut 45\u202f230,18\u00a0€."
    assert secrets.told(value, "10078821", "") == ""
    assert secrets.told(value, "20451736", "") == "45\u202f230,18\u00a0€"
    assert secrets.told(value, "", "") != ""
    assert secrets.told("Merci, Madame Moreau.", "", "") == "Moreau"
    assert secrets.told("Merci, Madame Moreau.", "", "je suis Jeanne Moreau") == "", "he said it himself"
    clause = "vos petits-enfants par parts égales, à défaut vos héritiers"
    assert secrets.told(clause, "41287395", "") == "", "another's clause is a part of his own"
    assert secrets.told(clause, "10078821", "") != ""
