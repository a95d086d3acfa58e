import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.permissions import (
    MATRIX,
    WHOLE_ORGANISATION,
    Grant,
    Permission,
    Rights,
    Role,
    Scope,
    narrowed,
)

GRANTS = st.frozensets(
    st.builds(Grant, st.sampled_from(Role), st.integers(1, 3), st.none() | st.integers(1, 4)), max_size=6
)


def test_every_role_stands_in_the_matrix_and_the_administrator_may_everything():
    assert set(MATRIX) == set(Role)
    assert MATRIX[Role.ADMINISTRATOR] == frozenset(Permission)


@pytest.mark.requirement("H-7.1c")
def test_customer_sees_readings_and_nothing_else():
    assert MATRIX[Role.CUSTOMER] == {Permission.READINGS_READ}


@given(GRANTS, st.sampled_from(Permission), st.integers(1, 3), st.integers(1, 4))
def test_a_permission_holds_exactly_where_a_role_that_has_it_was_granted(grants, permission, body, site):
    scope = Rights(grants).scope(permission)
    whole = any(
        g.organisation_id == body and g.site_id is None and permission in MATRIX[g.role] for g in grants
    )
    here = any(g.site_id == site and permission in MATRIX[g.role] for g in grants)
    assert scope.covers(body) == whole
    assert scope.covers(body, site) == (whole or (here and permission not in WHOLE_ORGANISATION))


@given(GRANTS, st.frozensets(st.sampled_from(Permission)), st.sampled_from(Permission))
def test_a_token_has_never_more_than_its_owner(grants, scopes, permission):
    owner = Rights(grants)
    token = narrowed(owner, scopes)
    assert token.scope(permission) == (owner.scope(permission) if permission in scopes else Scope())


@given(GRANTS, st.builds(Grant, st.sampled_from(Role), st.integers(1, 3), st.none() | st.integers(1, 4)))
def test_nobody_grants_more_than_they_have(grants, asked):
    rights = Rights(grants)
    if rights.may_grant(asked):
        given_on = Rights(frozenset({asked}))
        for permission in Permission:
            assert given_on.scope(permission).organisations <= rights.scope(permission).organisations
            for site in given_on.scope(permission).sites:
                assert rights.scope(permission).covers(asked.organisation_id, site)


def test_only_administrators_of_the_whole_organisation_grant_roles():
    at_site = Rights(frozenset({Grant(Role.ADMINISTRATOR, 1, 1)}))
    assert not at_site.may_grant(Grant(Role.VIEWER, 1, 1))
    whole = Rights(frozenset({Grant(Role.ADMINISTRATOR, 1)}))
    assert whole.may_grant(Grant(Role.VIEWER, 1, 1))
    assert not whole.may_grant(Grant(Role.VIEWER, 2))
