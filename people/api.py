"""REST of people, teams, disciplines, roles and tokens."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common import etags, rest
from people import (
    access,
    directory,
    filters,
    passwords,
    schema,  # noqa: F401  its classes register themselves
    tokens,
)
from people import serializers as shapes
from people.authentication import actor_of
from people.models import AuditEvent, Discipline, Role, Team, Token, User


class Users(rest.Resource[User]):
    serializer_class = shapes.UserOut
    filterset_class = filters.UserFilter

    def get_queryset(self) -> QuerySet[User]:
        return _users().order_by("name", "id")

    @extend_schema(responses=shapes.UserOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.UserIn, responses={201: shapes.UserOut})
    def post(self, request: Request) -> Response:
        given = self.taken(shapes.UserIn)
        if (memberships := given.pop("memberships", None)) is not None:
            given["memberships"] = _by_team(memberships)
        if "password" in given:
            passwords.check(given["password"], User(email=given["email"], name=given["name"]))
        user = directory.add_user(**given, by=actor_of(request), now=timezone.now())
        if "password" in given:
            passwords.was_given(user)
        return etags.answer(request, self.get_serializer(_users().get(pk=user.pk)).data, user.version, status=201)


class OneUser(rest.Resource[User]):
    serializer_class = shapes.UserOut
    queryset = User.objects.all()

    @extend_schema(responses=shapes.UserOut)
    def get(self, request: Request, pk: int) -> Response:
        user = _user(pk)
        return etags.answer(request, self.get_serializer(user).data, user.version)

    @extend_schema(request=shapes.UserChange, responses=shapes.UserOut)
    def patch(self, request: Request, pk: int) -> Response:
        user = _user(pk)
        given = self.taken(shapes.UserChange)
        memberships = given.pop("memberships", None)
        with etags.moved_tells(lambda: self.get_serializer(_user(pk)).data):
            directory.change_user(
                user,
                given,
                by=actor_of(request),
                now=timezone.now(),
                memberships=None if memberships is None else _by_team(memberships),
                version=etags.expected(request, user.version),
            )
        user = _user(pk)
        return etags.answer(request, self.get_serializer(user).data, user.version)


class Teams(rest.Resource[Team]):
    serializer_class = shapes.TeamOut
    queryset = Team.objects.order_by("name", "id")

    @extend_schema(responses=shapes.TeamOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.TeamIn, responses={201: shapes.TeamOut})
    def post(self, request: Request) -> Response:
        team = directory.add_team(**self.taken(shapes.TeamIn), by=actor_of(request), now=timezone.now())
        return etags.answer(request, self.get_serializer(team).data, team.version, status=201)


class OneTeam(rest.Resource[Team]):
    serializer_class = shapes.TeamOut
    queryset = Team.objects.all()

    @extend_schema(responses=shapes.TeamOut)
    def get(self, request: Request, slug: str) -> Response:
        team = get_object_or_404(Team, slug=slug)
        return etags.answer(request, self.get_serializer(team).data, team.version)

    @extend_schema(request=shapes.TeamChange, responses=shapes.TeamOut)
    def patch(self, request: Request, slug: str) -> Response:
        team = get_object_or_404(Team, slug=slug)
        version = etags.expected(request, team.version)
        with etags.moved_tells(lambda: self.get_serializer(team).data):
            directory.change(
                team, self.taken(shapes.TeamChange), by=actor_of(request), now=timezone.now(), version=version
            )
        return etags.answer(request, self.get_serializer(team).data, team.version)


class Disciplines(rest.Resource[Discipline]):
    serializer_class = shapes.DisciplineOut
    queryset = Discipline.objects.order_by("position", "name", "id")

    @extend_schema(responses=shapes.DisciplineOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.DisciplineIn, responses={201: shapes.DisciplineOut})
    def post(self, request: Request) -> Response:
        given = self.taken(shapes.DisciplineIn)
        discipline = directory.add_discipline(**given, by=actor_of(request), now=timezone.now())
        return etags.answer(request, self.get_serializer(discipline).data, discipline.version, status=201)


class OneDiscipline(rest.Resource[Discipline]):
    serializer_class = shapes.DisciplineOut
    queryset = Discipline.objects.all()

    @extend_schema(responses=shapes.DisciplineOut)
    def get(self, request: Request, slug: str) -> Response:
        discipline = get_object_or_404(Discipline, slug=slug)
        return etags.answer(request, self.get_serializer(discipline).data, discipline.version)

    @extend_schema(request=shapes.DisciplineChange, responses=shapes.DisciplineOut)
    def patch(self, request: Request, slug: str) -> Response:
        discipline = get_object_or_404(Discipline, slug=slug)
        given, version = self.taken(shapes.DisciplineChange), etags.expected(request, discipline.version)
        with etags.moved_tells(lambda: self.get_serializer(discipline).data):
            directory.change(discipline, given, by=actor_of(request), now=timezone.now(), version=version)
        return etags.answer(request, self.get_serializer(discipline).data, discipline.version)


class Roles(rest.Resource[Role]):
    serializer_class = shapes.RoleOut
    queryset = Role.objects.order_by("position", "name", "id")

    @extend_schema(responses=shapes.RoleOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.RoleIn, responses={201: shapes.RoleOut})
    def post(self, request: Request) -> Response:
        role = directory.add_role(**self.taken(shapes.RoleIn), by=actor_of(request), now=timezone.now())
        return etags.answer(request, self.get_serializer(role).data, role.version, status=201)


class OneRole(rest.Resource[Role]):
    serializer_class = shapes.RoleOut
    queryset = Role.objects.all()

    @extend_schema(responses=shapes.RoleOut)
    def get(self, request: Request, slug: str) -> Response:
        role = get_object_or_404(Role, slug=slug)
        return etags.answer(request, self.get_serializer(role).data, role.version)

    @extend_schema(request=shapes.RoleChange, responses=shapes.RoleOut)
    def patch(self, request: Request, slug: str) -> Response:
        role = get_object_or_404(Role, slug=slug)
        given, version = self.taken(shapes.RoleChange), etags.expected(request, role.version)
        with etags.moved_tells(lambda: self.get_serializer(role).data):
            directory.change(role, given, by=actor_of(request), now=timezone.now(), version=version)
        return etags.answer(request, self.get_serializer(role).data, role.version)


class Tokens(rest.Resource[Token]):
    """One's own."""

    serializer_class = shapes.TokenOut
    queryset = Token.objects.none()

    def get_queryset(self) -> QuerySet[Token]:
        return Token.objects.filter(owner=actor_of(self.request).user).select_related("owner")

    @extend_schema(responses=shapes.TokenOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)

    @extend_schema(request=shapes.TokenIn, responses={201: shapes.TokenIssued})
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        assert actor.user is not None, "who asks here is a person or acts for one"
        token, secret = tokens.issue(actor.user, **self.taken(shapes.TokenIn), by=actor, now=timezone.now())
        return Response({**self.get_serializer(token).data, "token": secret}, status=201)


class RevokeToken(rest.Resource[Token]):
    """One's own, or as an administrator anybody's. Revoking twice is harmless."""

    serializer_class = shapes.TokenOut
    queryset = Token.objects.all()

    @extend_schema(request=None, responses=shapes.TokenOut)
    def post(self, request: Request, pk: int) -> Response:
        actor = actor_of(request)
        token = Token.objects.select_related("owner").filter(pk=pk).first()
        if token is None or (token.owner != actor.user and not access.can(actor, access.Act.ADMINISTER)):
            raise Http404("There is no such token of yours.")
        tokens.revoke(token, by=actor, now=timezone.now())
        return Response(self.get_serializer(token).data)


def _users() -> QuerySet[User]:
    return User.objects.select_related("discipline").prefetch_related("memberships__team")


def _user(pk: int) -> User:
    return get_object_or_404(_users(), pk=pk)


def _by_team(memberships: list[dict[str, Any]]) -> dict[Team, str]:
    return {each["team"]: each["role"] for each in memberships}


class Audit(rest.Resource[AuditEvent]):
    """Who did what to which object, from where, and what changed; the newest first."""

    serializer_class = shapes.AuditOut
    filterset_class = filters.AuditFilter
    queryset = AuditEvent.objects.order_by("-seq")

    @extend_schema(responses=shapes.AuditOut(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(request)
