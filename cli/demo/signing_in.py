"""The four users at a running demo: each signs in and sees what is theirs, nobody comes in without."""

from cli.demo import web
from cli.demo.accounts import EVERYBODY, USERS, password_of
from cli.demo.asking import Stretch, WrongError
from cli.demo.system import System


async def each_sees_theirs(system: System, _: Stretch) -> str:
    """Sign in as each of the four; nobody comes in without."""
    for path in EVERYBODY:
        answer = await web.Visitor(system.port).get(path)
        if answer.status not in (303, 401):
            raise WrongError(f"{path} without sign-in: status {answer.status}")
    for user in USERS:
        visitor = await web.sign_in(system.port, user.login, password_of(system.folder))
        for path in (*EVERYBODY, *user.sees):
            if (status := (await visitor.get(path)).status) != 200:
                raise WrongError(f"{user.login}: {path}: status {status}")
        for path in user.shut:
            if (status := (await visitor.get(path)).status) not in (403, 404):
                raise WrongError(f"{user.login}: {path}: status {status}, expected to be refused")
        await visitor.sign_out()
    return ", ".join(user.login for user in USERS)
