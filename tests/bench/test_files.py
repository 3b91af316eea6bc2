import os
import threading

import pytest

from bench.files import write, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_is_made_and_holds_the_file_alone(tmp_path):
    folder = tmp_path / "a" / "b"
    assert write(folder, "x.bin", lambda path: path.write_bytes(b"\x00\r\n")) == folder / "x.bin"
    assert (folder / "x.bin").read_bytes() == b"\x00\r\n"
    assert names(folder) == ["x.bin"]


def test_text_is_utf8_with_its_own_newlines(tmp_path):
    write_text(tmp_path, "x.md", "ä\r\nb\n")
    assert (tmp_path / "x.md").read_bytes() == "ä\r\nb\n".encode()


def test_half_a_file_is_never_seen(tmp_path):
    write_text(tmp_path, "x.md", "old")
    seen = []

    def save(path):
        path.write_text("ne")
        seen.append((tmp_path / "x.md").read_text())
        path.write_text("new")

    write(tmp_path, "x.md", save)
    assert (seen, (tmp_path / "x.md").read_text()) == (["old"], "new")


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, stop):
    write_text(tmp_path, "x.md", "old")

    def save(path):
        path.write_text("half")
        raise stop

    with pytest.raises(stop):
        write(tmp_path, "x.md", save)
    assert names(tmp_path) == ["x.md"]
    assert (tmp_path / "x.md").read_text() == "old"


def test_writers_of_one_name_share_no_temporary_file(tmp_path):
    """All are inside ``save`` at once; each sees what it wrote itself, and one of them stands whole."""
    barrier, mixed = threading.Barrier(4, timeout=20), []

    def publish(letter):
        def save(path):
            path.write_text(letter * 1000)
            barrier.wait()
            if path.read_text() != letter * 1000:
                mixed.append(letter)
            barrier.wait()

        write(tmp_path, "x.md", save)

    threads = [threading.Thread(target=publish, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mixed == []
    assert names(tmp_path) == ["x.md"]
    assert (tmp_path / "x.md").read_text() in {letter * 1000 for letter in "abcd"}


def test_the_temporary_file_is_hidden_and_ends_like_the_file(tmp_path):
    used = []
    write(tmp_path, "x.csv.gz", lambda path: used.append(path) or path.write_text(""))
    assert used[0].parent == tmp_path
    assert used[0].name.startswith(".tmp-")
    assert used[0].suffixes[-2:] == [".csv", ".gz"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_others_may_read_it_as_they_may_read_any_new_file(tmp_path):
    write_text(tmp_path, "x.md", "")
    (tmp_path / "plain").touch()
    assert (tmp_path / "x.md").stat().st_mode == (tmp_path / "plain").stat().st_mode
