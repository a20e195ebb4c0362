"""The texts, and how they differ by what a reader knows already."""

from typing import Literal

from pydantic import BaseModel

from .claims import UserClaims

Level = Literal["beginner", "intermediate", "advanced"]


class Chapter(BaseModel):
    slug: str
    title: str
    personalized: bool
    level: Level | None
    paragraphs: list[str]
    hardware_note: str | None


class Text(BaseModel):
    """A chapter as it is kept: one text for everybody, and one more for each level."""

    title: str
    general: str
    by_level: dict[Level, str]
    hardware: str


CHAPTERS = {
    "reading-a-sensor": Text(
        title="Reading a sensor",
        general="A sensor turns something in the world into a number. The program asks for that number "
        "again and again, and decides what to do with it.",
        by_level={
            "beginner": "A program is a list of steps that the computer follows from top to bottom. Our first one "
            "has three: read the number, print it, wait a second. We go through each of them slowly.",
            "intermediate": "You know loops and functions, so we begin with a function that returns one reading, "
            "and then look at what to do when a reading is missing.",
            "advanced": "We read from an interrupt into a ring buffer, and talk about jitter, aliasing and how to "
            "choose the rate of sampling.",
        },
        hardware="a thermistor, a 10 kΩ resistor and any board with an analogue input",
    ),
    "driving-a-motor": Text(
        title="Driving a motor",
        general="A motor needs more current than a pin of a board can give. A driver stands between the two: "
        "the board says how fast, the driver brings the power.",
        by_level={
            "beginner": "We call one ready-made function, set_speed, with a number from 0 to 100, and see what the "
            "motor does.",
            "intermediate": "We write set_speed ourselves: a duty cycle, a timer, and a limit for how quickly it may "
            "change.",
            "advanced": "We close the loop with an encoder and a PID controller, and measure its step response.",
        },
        hardware="a small DC motor, a driver such as the DRV8833 and a supply of its own",
    ),
}


def chapter_for(slug: str, user: UserClaims | None) -> Chapter:
    text = CHAPTERS[slug]
    level = user.software_background if user else None
    hardware = user.hardware_background if user else None
    return Chapter(
        slug=slug,
        title=text.title,
        personalized=bool(level or hardware),
        level=level,
        paragraphs=[text.general, *([text.by_level[level]] if level else [])],
        hardware_note=f"You wrote “{hardware}” about your hardware. For this chapter take {text.hardware}."
        if hardware
        else None,
    )
