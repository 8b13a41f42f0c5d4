"""KubeSpawner's ``profile_list``, with what a user sends treated as what it is: any JSON at all.

What KubeSpawner 7.1 leaves open is closed here: a choice must be one of the list and a string; the whole of a free
text must match its pattern; no free text is formatted as a template a second time; nothing can be set that decides
where and as whom a server runs; and a second start does not keep what the first had merged in.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from spawner.refused import Refused

Json = dict[str, Any]

LONGEST: Final = 512
"""Characters of a free text: longer than any image reference."""
FIXED: Final = frozenset(
    {
        "namespace",
        "enable_user_namespaces",
        "user_namespace_template",
        "user_namespace_labels",
        "user_namespace_annotations",
        "service_account",
        "automount_service_account_token",
        "privileged",
        "allow_privilege_escalation",
        "pod_security_context",
        "container_security_context",
        "singleuser_privileged",
        "singleuser_service_account",
        "priority_class_name",
        "pod_name",
        "pod_name_template",
        "component_label",
        "common_labels",
        "modify_pod_hook",
        "allowed_labels",
        "mount_api_token",
        "pipelines_token",
        "waived_rules",
        "server_cluster_role",
        "hub_name",
        "user",
        "hub",
        "api",
    }
)
"""What decides where and as whom a server runs: set in the configuration, or not at all."""
_UNLISTED: Final = "--unlisted-choice"


def chosen(profiles: Sequence[Json], user_options: object) -> list[Json]:
    """The overrides, in order, that the options ask for; raises Refused 400 (500 for a fault of the list itself)."""
    if not isinstance(user_options, Mapping):
        raise Refused(400, "The choices must be a JSON object", hint=_AGAIN)
    profile = _profile(profiles, user_options.get("profile"))
    found = [allowed(profile.get("kubespawner_override") or {})]
    for name, option in (profile.get("profile_options") or {}).items():
        text = _text(user_options, f"{name}{_UNLISTED}")
        choice = _text(user_options, name)
        if text:
            found.append(allowed(_unlisted(name, option.get("unlisted_choice") or {}, text)))
        else:
            found.append(allowed(_listed(name, option.get("choices") or {}, choice)))
    return found


def _profile(profiles: Sequence[Json], slug: object) -> Json:
    if slug is None or slug == "":
        return next((each for each in profiles if each.get("default")), profiles[0])
    if not isinstance(slug, str):
        raise Refused(400, "The choice must be a text", field="profile", hint=_AGAIN)
    for each in profiles:
        if each.get("slug") == slug:
            return each
    raise Refused(400, f"There is no choice “{slug[:80]}”", field="profile", hint=_AGAIN)


def _text(options: Mapping[Any, Any], field: str) -> str:
    value = options.get(field)
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise Refused(400, "The choice must be a text", field=field, hint=_AGAIN)
    if len(value) > LONGEST:
        raise Refused(400, f"The text has {len(value)} characters; {LONGEST} are taken", field=field)
    return value


def _listed(name: str, choices: Mapping[str, Any], choice: str) -> Json:
    if choice:
        if choice not in choices:
            raise Refused(400, f"“{choice[:80]}” is not one of the choices", field=name, hint=_AGAIN)
        return dict(choices[choice].get("kubespawner_override") or {})
    if not choices:
        raise Refused(400, "A text is needed here", field=name, hint=_AGAIN)
    default = next((each for each in choices.values() if each.get("default")), next(iter(choices.values())))
    return dict(default.get("kubespawner_override") or {})


def _unlisted(name: str, rule: Mapping[str, Any], text: str) -> Json:
    if not rule.get("enabled"):
        raise Refused(400, "Only the listed choices are taken", field=name, hint=_AGAIN)
    if not text.isprintable() or "{" in text or "}" in text:
        raise Refused(400, "The text may not have braces or control characters", field=name)
    pattern = rule.get("validation_regex")
    if pattern and not re.fullmatch(pattern, text):
        message = str(rule.get("validation_message") or "The text does not have the form that is asked for")
        raise Refused(400, message, field=name)
    return {key: _filled(value, text) for key, value in (rule.get("kubespawner_override") or {}).items()}


def _filled(value: Any, text: str) -> Any:
    """``{value}`` replaced, and nothing else: no attributes, no other names."""
    if isinstance(value, str):
        return value.replace("{value}", text)
    if isinstance(value, Mapping):
        return {_filled(key, text): _filled(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, text) for each in value]
    return value


def allowed(override: Mapping[str, Any]) -> Json:
    """The override, if it sets nothing that is fixed; else raises Refused 500."""
    fixed = sorted(key for key in override if key in FIXED or key.startswith("_"))
    if fixed:
        raise Refused(
            500,
            f"The configuration of the Hub lets a choice set “{fixed[0]}”, which no choice may",
            hint="Tell the administrator: it is one of the settings that decide where and as whom servers run.",
        )
    return dict(override)


class Layer:
    """Overrides on an object that can be taken off again."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._before: dict[str, tuple[Any, Any]] = {}

    def put(self, override: Mapping[str, Any], log: Callable[..., None]) -> None:
        """Set each; a dict is merged into a copy of what is there, None takes a key out of it."""
        for key, given in override.items():
            value = given(self._target) if callable(given) else copy.deepcopy(given)
            now = getattr(self._target, key)
            if isinstance(value, dict) and isinstance(now, dict):
                value = merged(now, value)
            before = self._before[key][0] if key in self._before else copy.deepcopy(now)
            log("Choice sets %s", key)
            setattr(self._target, key, value)
            self._before[key] = (before, copy.deepcopy(getattr(self._target, key)))

    def take_off(self) -> None:
        """Bring back what was there, unless something else has set it since."""
        for key, (before, put) in self._before.items():
            if getattr(self._target, key) == put:
                setattr(self._target, key, before)
        self._before.clear()


def merged(now: Mapping[Any, Any], more: Mapping[Any, Any]) -> Json:
    """A new dict: as ``kubespawner.utils.recursive_update`` would leave ``now``."""
    found = copy.deepcopy(dict(now))
    for key, value in more.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            old = found.setdefault(key, {})
            if not value:
                continue  # an empty one changes nothing, whatever it meets
            found[key] = merged(old if isinstance(old, Mapping) else {}, value)
        else:
            found[key] = copy.deepcopy(value)
    return found


def shown(profiles: Sequence[Json]) -> Iterator[Json]:
    """The list for the form's page, each text escaped: an administrator's generator may have put foreign text in."""
    from html import escape

    def safe(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: escape(each) if key in _SHOWN and isinstance(each, str) else safe(each)
                for key, each in value.items()
                if key != "kubespawner_override"
            }
        return [safe(each) for each in value] if isinstance(value, list) else value

    yield from (safe(each) for each in profiles)


_SHOWN: Final = frozenset({"display_name", "description", "validation_message", "display_name_in_choices"})
_AGAIN: Final = "Choose again on the start page."
