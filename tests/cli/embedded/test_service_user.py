import os
from pathlib import Path

import pytest

from cli.embedded.service_user import service_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def closed(service_folder, tmp_path_factory):
    """A folder below one that only root may enter."""
    below = tmp_path_factory.mktemp("closed") / "below"
    below.mkdir()
    below.parent.chmod(0o700)
    return below


def test_first_existing_user_is_taken():
    assert service_user(("no-such-user", "mail", "news")).name == "mail"


def test_nobody_comes_last():
    assert service_user(("no-such-user",)).name == "nobody"


def test_closed_folder_is_noticed(closed, service_folder):
    assert service_user(("mail",), closed).reads_anywhere
    assert not service_user(("mail",), service_folder).reads_anywhere


def test_path_that_is_not_there_yet_is_judged_by_its_parents(closed, service_folder):
    assert service_user(("mail",), closed / "a" / "b").reads_anywhere
    assert not service_user(("mail",), service_folder / "a" / "b").reads_anywhere


def test_folder_is_handed_over_with_what_is_in_it(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    user = service_user(("mail",))
    user.own(tmp_path)
    owners = {path.lstat().st_uid for path in (tmp_path, *tmp_path.rglob("*"))}
    assert owners == {user.user_id}
    assert Path("/etc/passwd").stat().st_uid == 0
