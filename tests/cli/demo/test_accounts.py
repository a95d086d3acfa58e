"""The demo's four users: one password a folder, closed to others, in a people file that is right."""

from pathlib import Path

from cli.demo.accounts import USERS, password_of, people_file
from cloud.identity.people_file import read_people_file
from cloud.identity.secrets import password_fault


def test_the_password_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    password = password_of(tmp_path)
    assert password_of(tmp_path) == password
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").mkdir()
    assert password_of(tmp_path / "other") != password


def test_the_people_file_opens_an_account_for_each_user(tmp_path: Path) -> None:
    password = password_of(tmp_path)
    assert not password_fault(password, "")
    file = tmp_path / "people.toml"
    file.write_text(people_file(password), "utf-8")
    read, faults = read_people_file(file)
    assert not faults
    assert read is not None
    assert [person.login for person in read.person] == [user.login for user in USERS]
    assert {user.role for user in USERS} == {"facilities", "dispatcher", "safety", "administrator"}
