"""The words of the little translation language, and nothing else: edit the tables, and it follows.

English and French stand side by side, comma by comma. A noun is masculine unless an f follows; an irregular
English plural stands behind a slash. An adjective has its two genders, a verb its third person, singular and
plural; where only one form is given, the other follows by rule. All nouns, all transitive verbs and all
adjectives that stand before a noun begin with a consonant in French, so nothing is elided (no l', no d', no
n'). No English plural equals its singular, so that every sentence has just one translation.
"""

from typing import NamedTuple

ACTORS = """
    king roi, queen reine f, poet poète, baker boulanger, waiter serveur, waitress serveuse f, pilot pilote,
    clown clown, nun nonne f, judge juge, guide guide, dancer danseuse f, singer chanteuse f,
    witch sorcière f, conductor contrôleur, farmer fermier, tourist touriste, dentist dentiste, cat chat,
    dog chien, cow vache f, goat chèvre f, horse cheval, pigeon pigeon, duck canard, parrot perroquet,
    turtle tortue f, whale baleine f, mouse/mice souris f, wolf/wolves loup, frog grenouille f, hen poule f,
    fox renard
"""
THINGS = """
    hat chapeau, suitcase valise f, umbrella parapluie, passport passeport, ticket billet, letter lettre f,
    stamp timbre, piano piano, drum tambour, trumpet trompette f, lamp lampe f, chair chaise f,
    clock pendule f, mirror miroir, carpet tapis, shoe chaussure f, sock chaussette f, spoon cuillère f,
    cake gâteau, cheese fromage, soup soupe f, bottle bouteille f, map carte f, key clé f, coat manteau,
    scarf/scarves foulard, newspaper journal, knife/knives couteau, gift cadeau, camera caméra f, bicycle vélo
"""
PLACES = """
    garden jardin, station gare f, castle château, museum musée, bridge pont, bakery boulangerie f,
    market marché, library bibliothèque f, tower tour f, beach plage f, kitchen cuisine f, zoo zoo,
    forest forêt f, village village, park parc, train train, bus bus, boat bateau, tent tente f, cellar cave f
"""
BEFORE = """
    small petit, large grand, old vieux vieille, new nouveau nouvelle, beautiful beau belle, good bon bonne,
    pretty joli, bad mauvais, young jeune, fat gros grosse
"""
AFTER = """
    red rouge, green vert, blue bleu, black noir, white blanc blanche, yellow jaune, wet mouillé, golden doré,
    broken cassé, nervous nerveux nerveuse, sad triste, tired fatigué, famous célèbre, polite poli,
    cold froid, quiet tranquille, heavy lourd, lost perdu, happy heureux heureuse, sleepy endormi,
    royal royal, foreign étranger étrangère, curious curieux curieuse, proud fier fière, crazy fou folle,
    expensive cher chère, dry sec sèche, invisible invisible
"""
TAKING = """
    see voit voient, sell vend vendent, paint peint peignent, follow suit suivent, steal vole, wash lave,
    count compte, lose perd perdent, find trouve, carry porte, break casse, keep garde, fix répare,
    look_at regarde, look_for cherche, hide cache, draw dessine, measure mesure, touch touche, push pousse
"""
ALONE = """
    sleep dort dorment, sing chante, dance danse, cry pleure, laugh rit rient, travel voyage, work travaille,
    fall tombe, swim nage, wait patiente, run court courent, snore ronfle
"""
DETERMINERS = {  # English: French for one (masculine, feminine), for many; a dash where there is none
    "the": "le la les", "every": "chaque chaque -", "this": "ce cette -", "these": "- - ces",
    "my": "mon ma mes", "your": "ton ta tes", "his": "son sa ses", "her": "son sa ses",
    "our": "notre notre nos", "their": "leur leur leurs", "two": "- - deux", "three": "- - trois",
    "four": "- - quatre", "seven": "- - sept",
}  # fmt: skip
PLACED = {"in": "dans", "behind": "derrière", "under": "sous", "on": "sur", "with": "avec", "without": "sans"}
OPENINGS = {
    "today": "aujourd'hui", "at night": "la nuit", "on monday": "le lundi", "every morning": "chaque matin",
}  # fmt: skip
JOINTS = {"and": "et", "but": "mais", "because": "car", "so": "donc", "when": "quand", "then": "puis"}
SUBJECTS = {"he": ("il", "m", False), "she": ("elle", "f", False), "they": ("ils", "m", True)}
OBJECTS = {"him": "le", "her": "la", "them": "les"}
OFTEN = {"often": "souvent", "always": "toujours", "sometimes": "parfois", "rarely": "rarement"}


class Noun(NamedTuple):
    """A noun in both languages, for one and for many, and its French gender."""

    en: tuple[str, str]
    fr: tuple[str, str]
    gender: str


def _entries(table: str) -> list[list[str]]:
    return [entry.split() for entry in table.replace("\n", " ").split(",")]


def english_s(word: str) -> str:
    """The plural of a noun, or a verb's third person: hats, witches, carries, looks at."""
    word, space, rest = word.partition("_")
    if word.endswith(("ch", "sh", "s", "x")):
        return word + "es" + space + rest
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies" + space + rest
    return word + "s" + space + rest


def french_s(word: str) -> str:
    """The plural of a noun or adjective: chats, tapis, chapeaux, chevaux."""
    if word.endswith(("s", "x")):
        return word
    if word.endswith("al"):
        return word[:-1] + "ux"
    return word + ("x" if word.endswith("eau") else "s")


def _noun(en: str, fr: str, gender: str = "m") -> Noun:
    one, _, many = en.partition("/")
    return Noun((one, many or english_s(one)), (fr, french_s(fr)), gender)


def _adjective(en: str, m: str, f: str = "") -> tuple[str, dict[str, str]]:
    f = f or (m if m.endswith("e") else m + "e")
    return en, {"m": m, "f": f, "mm": french_s(m), "ff": french_s(f)}


def _verb(en: str, one: str, many: str = "") -> tuple[tuple[str, str], tuple[str, str]]:
    return (english_s(en), en), (one, many or one + "nt")


NOUNS = {kind: [_noun(*e) for e in _entries(t)] for kind, t in zip("atp", (ACTORS, THINGS, PLACES))}
ADJECTIVES = dict(_adjective(*e) for e in _entries(BEFORE + "," + AFTER))
FIRST = {e[0] for e in _entries(BEFORE)}  # the adjectives that stand before their noun in French, too
VERBS = {kind: [_verb(*e) for e in _entries(t)] for kind, t in zip(("taking", "alone"), (TAKING, ALONE))}
