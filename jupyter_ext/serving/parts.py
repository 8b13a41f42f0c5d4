"""Transformer and explainer: the other processes of an endpoint, kept as the variants are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_ext.serving.replicas import Fleet

if TYPE_CHECKING:
    from jupyter_ext.serving.crew import Crew
    from jupyter_ext.serving.spec import Service


class Parts:
    """The fleets of what stands before and beside the predictor."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self._fleets: dict[str, Fleet] = {}

    def fleets(self) -> list[Fleet]:
        """Those that there are."""
        return list(self._fleets.values())

    def tick(self, target: Service) -> None:
        """Start what is asked for and see to it."""
        from jupyter_ext.serving.transformer import predictors

        asked = predictors(target)
        for name, predictor in asked.items():
            fleet = self._fleets.get(name)
            if fleet is None or fleet.predictor.digest != predictor.digest:
                if fleet is not None:
                    fleet.want = 0
                    if fleet.replicas:
                        fleet.tick()
                        continue  # the old one first ends
                fleet = self._fleets[name] = Fleet(self.crew, predictor)
            fleet.want = 1
            fleet.tick()
        for name in [each for each in self._fleets if each not in asked]:
            fleet = self._fleets[name]
            fleet.want = 0
            fleet.tick()
            if not fleet.replicas:
                del self._fleets[name]
        self.crew.others = self.fleets()

    def trouble(self, target: Service) -> str:
        """Why what is asked for is not there yet; empty when it is."""
        from jupyter_ext.serving.transformer import predictors

        for name, predictor in predictors(target).items():
            fleet = self._fleets.get(name)
            if fleet is None or fleet.predictor.digest != predictor.digest or not fleet.ready:
                why = fleet.why if fleet is not None else ""
                return f"The {name} is being started. {why}".rstrip()
        return ""

    def addresses(self) -> dict[str, Any]:
        """Where they are, in the words of ``status.routing``."""
        found: dict[str, Any] = {"transformer": None, "explainer": None}
        for name, fleet in self._fleets.items():
            if fleet.ready and fleet.ready[0].program is not None:
                address = fleet.ready[0].program.http
                found[name] = {"address": f"unix:{address}" if address.startswith("/") else address}
                if fleet.ready[0].program.grpc:
                    found[name]["grpc"] = fleet.ready[0].program.grpc
        return found
