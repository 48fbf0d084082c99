"""Finds scenario files; folders named `packs` below the one that is searched hold none."""

from pathlib import Path

from sublife.events.document import DocumentError


def find(paths: list[Path]) -> list[Path]:
    """Return the scenario files that *paths* name: files as given, folders searched for YAML.

    Folders named `packs` within a folder that is searched hold policy packs and are left out.

    Raises:
        DocumentError: a path does not exist, or a folder holds no scenario.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if may_be_scenario(each, path))
            if not inside:
                raise DocumentError(
                    str(path), [(0, "holds no *.yaml or *.yml file; name another folder")]
                )
            found.extend(inside)
        elif path.is_file():
            found.append(path)
        else:
            raise DocumentError(str(path), [(0, "does not exist; fix the path")])
    return list(dict.fromkeys(found))


def may_be_scenario(path: Path, folder: Path) -> bool:
    """Return whether *path* is a YAML file in *folder* and not in a folder of packs below it.

    Where *folder* itself lies, and what the folders above it are called, makes no difference.
    """
    if path.suffix not in {".yaml", ".yml"} or not path.is_relative_to(folder):
        return False
    return "packs" not in path.relative_to(folder).parts[:-1] and path.is_file()
