"""What a user may choose, and what came of it: the form's part of the spawner, and KubeSpawner's ``profile_list``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.utils import maybe_future
from kubespawner import KubeSpawner
from traitlets import Bool, Dict, default

from spawner.api import Api, Json
from spawner.form.traits import FormSettings
from spawner.refused import Refused
from spawner.starts import overrides
from spawner.starts.surroundings import Surroundings

if TYPE_CHECKING:
    from spawner.form.options import Options
    from spawner.form.page import Offer
    from spawner.profiles.membership import Answer, Profile

_OF_KUBESPAWNER: Final = ("profile",)


class Choosing(FormSettings, KubeSpawner):  # type: ignore[misc]
    """A KubeSpawner whose choices are the form's, or those of a ``profile_list`` that is read strictly."""

    user_options: Any
    pvc_name: str
    ended_words: str

    scales_up = Bool(
        False, config=True, help="New nodes come when needed: no node today is no reason to give up."
    )
    make_profiles = Bool(
        False,
        config=True,
        help="Make a profile at the first login of somebody who has none, where Kubeflow makes none.",
    )
    profile_defaults = Dict(
        config=True, help="What such a profile has: quota, limits and the like, as one of a file."
    )
    profile_platform = Dict(
        config=True,
        help="What is around such profiles, as `spawner.profiles.policy.Platform` has it: `hub_namespace` first of all.",
    )
    check_fit = Bool(True, config=True, help="Look at quota and nodes once more when a server is asked for.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._layer = overrides.Layer(self)
        self._options: Options | None = None

    @property
    def cluster(self) -> Api:
        """The API server; `self.api` stays KubeSpawner's own client."""
        return Api.shared()

    def everywhere(self) -> dict[str, Any]:
        """KubeSpawner's own settings: what fits is looked for on the nodes that a server can come to at all."""
        keys = ("effect", "key", "operator", "value")
        return {
            "node_selector": self._expand_all(self.node_selector),
            "tolerations": [{key: each[key] for key in keys if each.get(key)} for each in self.tolerations],
        }

    @property
    def uses_form(self) -> bool:
        """Whether the choices are those of our form; with a ``profile_list`` they are KubeSpawner's."""
        return not self.profile_list

    @default("options_form")
    def _options_form_default(self) -> Any:
        if not self.uses_form:
            return super()._options_form_default()

        async def page(spawner: Choosing) -> str:
            from spawner.form import page as form

            return str(await form.page(spawner))

        return page

    async def _run_apply_user_options(self, user_options: Mapping[str, Any]) -> None:
        """The choices are read in `start`, whatever the Hub makes of them before."""
        if self.apply_user_options:
            await super()._run_apply_user_options(user_options)

    def run_options_from_form(self, form_data: Mapping[str, Sequence[str]]) -> Any:
        """The form's answer is checked at once, so that its page comes back as it was filled in."""
        if not self.uses_form:
            return super().run_options_from_form(form_data)
        from spawner.form import page as form

        return form.answer(self, form_data)

    def options_from_query(self, query_data: Mapping[str, Sequence[str]]) -> Any:
        """A link presets the form; it never starts a server."""
        if not self.uses_form:
            return super().options_from_query(query_data)
        from spawner.form import page as form

        return form.from_query(query_data)

    def _options_from_form(self, formdata: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        found: dict[str, Any] = super()._options_from_form(formdata)
        if formdata.get("namespace"):
            found["namespace"] = formdata["namespace"][0]
        return found

    def _render_options_form(self, profile_list: list[Json]) -> str:
        """KubeSpawner's page, with texts escaped and earlier choices shown only if they are still choices."""
        initialized = self._get_initialized_profile_list(profile_list)
        before = self.user_options
        try:
            overrides.chosen(initialized, before or {})
        except Refused:
            self.user_options = {}
        try:
            return str(super()._render_options_form(list(overrides.shown(initialized))))
        finally:
            self.user_options = before

    async def offer(self, namespace: str | None = None) -> Offer:
        """What the form's page shows for one profile; raises Refused."""
        from spawner.form.page import Offer

        found = await self._profiles()
        usable = [each for each in found.profiles if each.may_start]
        chosen = next((each for each in usable if each.namespace == namespace), usable[0] if usable else None)
        around = Surroundings.of(self.cluster)
        schema, quotas, ranges = self.schema(), [], []
        if chosen is not None:
            schema = await around.extended(schema, chosen.namespace, home_claim=self.pvc_name)
            quotas = await around.lists(chosen.namespace, "quotas")
            ranges = await around.lists(chosen.namespace, "limit_ranges")
        fleet = around.fleet if await around.look() else None
        _, _, free = await around.devices()
        behind = await around.queues.quotas() if schema.queues else {}
        return Offer(
            schema,
            fleet,
            quotas,
            self.user.name,
            found.profiles,
            " ".join(filter(None, (self.ended_words, found.message))),
            found.hint,
            ranges,
            free,
            also=_OF_KUBESPAWNER,
            needs_profile=True,
            queues=behind,
            shared_with=self._shared_with(),
        )

    def _shared_with(self) -> list[dict[str, str]]:
        """Servers of others that this user may open."""
        from spawner.living.sharing import shared_with

        base = str(self.hub.base_url).removesuffix("hub/")
        return shared_with(getattr(self.user, "orm_user", None), base)

    def _groups(self) -> list[str]:
        return [str(group.name) for group in getattr(self.user, "groups", None) or ()]

    async def _profiles(self) -> Answer:
        from spawner.profiles.membership import answer

        if not self.make_profiles:
            return await answer(self.cluster, self.user.name, self._groups())
        from spawner.profiles.declared import Wanted
        from spawner.profiles.policy import Platform
        from spawner.profiles.provision import welcome

        defaults = Wanted.model_validate(self.profile_defaults) if self.profile_defaults else None
        platform = Platform(**self.profile_platform)
        return await welcome(self.cluster, self.user.name, self._groups(), defaults, platform)

    async def _profile(self) -> Profile:
        """The profile that was asked for, checked at the API server this moment."""
        from spawner.profiles.membership import enter

        asked = self.user_options.get("namespace") if isinstance(self.user_options, Mapping) else None
        if isinstance(asked, list) and len(asked) == 1:
            asked = asked[0]
        if asked is None or asked == "":
            found = await self._profiles()
            usable = [each for each in found.profiles if each.may_start]
            if not usable:
                raise Refused(403, found.message, hint=found.hint)
            if len(usable) > 1:
                raise Refused(
                    400, "You have more than one profile", field="namespace", hint="Choose one of them."
                )
            asked = usable[0].name
        return await enter(self.cluster, asked, self.user.name, self._groups())

    async def load_user_options(self) -> None:
        """Check the choices and remember them; of KubeSpawner's list, put its overrides on."""
        self._layer.take_off()
        self._options = None
        if not isinstance(self.user_options, Mapping):
            raise Refused(400, "The choices must be a JSON object", hint="Choose again on the start page.")
        if not self.uses_form:
            found = self._sorted_dict_values(self.profile_list)
            if callable(found):
                found = await maybe_future(found(self))
            listed = self._get_initialized_profile_list(found)
            if listed:
                for override in overrides.chosen(listed, self.user_options):
                    self._layer.put(override, self.log.debug)

    def _apply_overrides(self, spawner_override: Mapping[str, Any]) -> None:
        self._layer.put(overrides.allowed(spawner_override), self.log.debug)

    async def _choose(self, profile: Profile) -> Options | None:
        """The form's choices, typed, and whether they can be had at all."""
        if not self.uses_form:
            return None
        wanted = {
            key for key, value in self.user_options.items() if value not in ("", None, [], "none", ["none"])
        }
        around = Surroundings.of(self.cluster)
        schema = await around.extended(self.schema(), profile.namespace, wanted, home_claim=self.pvc_name)
        options = schema.check({**self.user_options, "namespace": profile.name}, also=_OF_KUBESPAWNER)
        if self.check_fit:
            from spawner.form.quota import lines
            from spawner.form.verdicts import Situation, recheck

            quotas = lines(await around.lists(profile.namespace, "quotas"))
            ranges = await around.lists(profile.namespace, "limit_ranges")
            fleet = around.fleet if not self.scales_up and await around.look() else None
            _, _, free = await around.devices() if options.claim else ([], [], {})
            behind = await around.queues.quotas() if options.queue else {}
            recheck(Situation(fleet, quotas, ranges, free, new_home=False, queues=behind), schema, options)
        return options
