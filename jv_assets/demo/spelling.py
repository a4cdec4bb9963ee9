"""How the demo's people type: typing errors, missing apostrophes, capitals, stray spaces, smileys."""

from jv_assets.demo.dice import Dice

_HABITS = (("you", "u"), ("and", "&"), ("with", "w/"), ("because", "cuz"), ("their", "there"), ("business", "buisness"))
_SMILEYS = ("🙂", "✨", "🚀", "❤️", "!!", "...", "🌱🌱")


def mistyped(text: str, sloppiness: float, dice: Dice) -> str:
    """Return the text as a person of this sloppiness (0..1) types it."""
    words = [_slip(word, dice) if dice.chance(0.06 * sloppiness) else word for word in text.split(" ")]
    text = " ".join(words)
    if dice.chance(0.25 * sloppiness):
        for word, habit in dice.sample(_HABITS, 2):
            text = text.replace(f" {word} ", f" {habit} ")
    if dice.chance(0.12):
        text = text.replace("'", dice.pick(("", "’")))
    if dice.chance(0.04 + 0.15 * sloppiness):
        text = dice.pick((str.lower, str.lower, str.upper))(text)
    if dice.chance(0.2 * sloppiness):
        text = text.replace(". ", dice.pick((".", ".  ", "! ")))
    if dice.chance(0.04):
        text = f"{text} {dice.pick(_SMILEYS)}"
    if dice.chance(0.3):
        text = text.removesuffix(".")
    if dice.chance(0.05):
        text = dice.pick((" {}", "{} ", "{}\n", "{}  ")).format(text)
    return text


def _slip(word: str, dice: Dice) -> str:
    if len(word) < 4 or "." in word[:-1]:  # A mistyped host name may belong to somebody.
        return word
    k = dice.whole(1, len(word) - 2)
    swapped = word[:k] + word[k + 1] + word[k] + word[k + 2 :]
    return dice.pick((swapped, word[:k] + word[k + 1 :], word[:k] + word[k] + word[k:]))
