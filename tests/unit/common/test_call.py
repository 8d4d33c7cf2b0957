"""What of a call crosses the border to a child, and what is believed of its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.common.errors import Outage, Permanent, Rejected, Transient
from clipstream.common.stage.call import Call, error_from, source_root
from corpus import hostile


def test_arguments_become_json() -> None:
    call = Call(hostile.claim, {"paths": [Path("/a"), Path("b")]})
    assert call.arguments == {"paths": ["/a", "b"]}
    assert (call.module, call.name) == ("corpus.hostile", "claim")
    assert (Path(source_root(call.module)) / "corpus" / "hostile.py").exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "../other", "a/../../other"])
def test_paths_leave_no_scratch_directory(path: str, tmp_path: Path) -> None:
    call = Call(hostile.claim, {"paths": []})
    with pytest.raises(Transient, match="outside its scratch"):
        call.result(f'{{"name": "x", "files": ["fine", "{path}"]}}'.encode(), tmp_path)
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(Transient, match="outside its scratch"):
        call.result(b'{"name": "x", "files": ["link/passwd"]}', tmp_path)


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": 1}', b"null"])
def test_an_answer_of_another_shape_is_not_believed(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(Transient, match="claim answered with something it never returns"):
        Call(hostile.claim, {"paths": []}).result(body, tmp_path)


@pytest.mark.parametrize(
    ("module", "name", "kind"),
    [
        ("clipstream.common.errors", "Rejected", Rejected),
        ("clipstream.common.errors", "Permanent", Permanent),
        ("clipstream.common.errors", "Transient", Transient),
        ("clipstream.common.errors", "Outage", Transient),
        ("clipstream.common.errors", "Cancelled", Transient),
        ("clipstream.common.errors", "Conflict", Transient),
        ("clipstream.common.errors", "timedelta", Transient),
        ("clipstream.common.errors", "__name__", Transient),
        ("somewhere.else", "Rejected", Transient),
    ],
)
def test_a_child_chooses_only_among_its_own_errors(module: str, name: str, kind: type[Exception]) -> None:
    error = error_from({"module": module, "name": name, "message": "why", "retry_after_s": None})
    assert type(error) is kind
    assert not isinstance(error, Outage)
    assert "why" in str(error)
