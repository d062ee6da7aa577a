"""JUnit XML of a run: one case each, with seed, covers, fired faults, digest and virtual duration as properties."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from programmer.qa.run import Result

_PRINTABLE = frozenset("\t\n\r")


def document(results: Sequence[Result]) -> ElementTree.Element:
    """The root element."""
    failed = sum(not item.passed for item in results)
    counts = {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0"}
    root = ElementTree.Element("testsuites", {"name": "programmer qa", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": "scenarios", **counts})
    for item in results:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": "scenarios", "name": item.title, "file": item.source}
        )
        properties = ElementTree.SubElement(case, "properties")
        for name, value in {
            "title": item.name,
            "seed": str(item.seed),
            "covers": " ".join(item.covers),
            "fired": " ".join(item.fired),
            "digest": item.digest,
            "virtual_ms": str(item.duration_ms),
            "cases": str(item.cases),
        }.items():
            ElementTree.SubElement(properties, "property", {"name": name, "value": value})
        if not item.passed:
            text = "".join(char if char.isprintable() or char in _PRINTABLE else "?" for char in item.failure)
            failure = ElementTree.SubElement(case, "failure", {"message": text.splitlines()[0], "type": "scenario"})
            failure.text = text if item.artefacts is None else f"{text}\nartefacts: {item.artefacts}"
    return root


def write(path: Path, results: Sequence[Result]) -> None:
    """Write the file."""
    tree = ElementTree.ElementTree(document(results))
    ElementTree.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)
