"""The children of DkpGuilds kept by kopf, in its usual style, to be measured beside the operator."""

import asyncio
import base64
import collections
import datetime
import json
import os
import re
import ssl

import aiohttp
import kopf

NAMESPACE = os.environ["NAMESPACE"]
CONNECTIONS = 2 * int(os.environ.get("WORKERS", "16"))
GUILDS = ("dkp.dev", "v1alpha1", "dkpguilds")
LABELS = {"app.kubernetes.io/managed-by": "dkp-operator", "dkp.dev/guild": kopf.PRESENT}
APPLY = "application/apply-patch+yaml"

with open(os.environ["TEMPLATES"], encoding="utf-8") as file:
    TEMPLATES = json.load(file)
KINDS = {child["kind"]: child for child in TEMPLATES["children"]}

waiting: set[str] = set()
locks: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)


class Api:
    """Requests to the API server of a kubeconfig. kopf itself brings no client for objects other than its own."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.server = cluster["server"]
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cadata=authority), limit=CONNECTIONS
            ),
            headers={"Authorization": f"Bearer {user['token']}"},
        )

    async def send(self, method, path, body=None, content_type="application/json", accepted=()):
        """The answer's status; what is neither good nor accepted is tried again by kopf."""
        headers = {"Content-Type": content_type}
        async with self.session.request(method, self.server + path, data=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 300 and answer.status not in accepted:
                raise kopf.TemporaryError(f"{method} {path}: {text}", delay=1)
            return answer.status


@kopf.on.startup()
async def start(settings, memo, **_):
    settings.persistence.finalizer = "dkp.dev/database"
    memo.api = Api(os.environ["KUBECONFIG"])


@kopf.on.cleanup()
async def stop(memo, **_):
    await memo.api.session.close()


@kopf.index(*GUILDS)
def guilds(name, body, **_):
    return {name: body}


def children(name, body, **_):
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {(body["kind"], name): {**body, "metadata": metadata}}


async def child_changed(event, labels, memo, guilds, children, **_):
    # What is there at the start is looked at once a guild, when that is resumed.
    if event["type"] is not None:
        await look(labels["dkp.dev/guild"], memo.api, guilds, children)


for kind in KINDS.values():
    selector = (*kind["apiVersion"].split("/"), kind["plural"])
    kopf.index(*selector, labels=LABELS)(children)
    kopf.on.event(*selector, labels=LABELS)(child_changed)


@kopf.on.resume(*GUILDS)
@kopf.on.create(*GUILDS)
@kopf.on.update(*GUILDS)
async def guild_changed(name, memo, guilds, children, **_):
    await look(name, memo.api, guilds, children)


@kopf.on.delete(*GUILDS)
async def guild_deleted(**_):
    """The database is kept, and the garbage collector sees to the rest: kopf lets go of the guild."""


async def look(name, api, guilds, children):
    """One look at a guild at a time; who comes while another waits for its turn has nothing to add."""
    if name in waiting:
        return
    waiting.add(name)
    async with locks[name]:
        waiting.discard(name)
        for guild in guilds.get(name, ()):
            if "deletionTimestamp" not in guild["metadata"]:
                await keep(api, guild, lambda kind, child: next(iter(children.get((kind, child), ())), None))


async def keep(api, guild, cached):
    """Brings the children as far as their gates are open, and reports when all is well."""
    name = guild["metadata"]["name"]
    cluster = cached("Cluster", f"{name}-db")
    fill = filler(guild, cluster)
    job = deployment = None
    for child in TEMPLATES["children"]:
        if child["gate"] == "database" and not is_database_ready(cluster):
            return
        if child["gate"] == "migration" and not (holds(job, "Complete") and await has_token(api, guild)):
            return
        live = cached(child["kind"], fill(child["name"]))
        await keep_child(api, child, live, fill)
        job = live if child["kind"] == "Job" else job
        deployment = live if child["kind"] == "Deployment" else deployment
    report = (cached("ConfigMap", f"{name}-report") or {}).get("data", {}).get("report.json")
    if is_available(deployment) and report is not None:
        await write_status(api, guild, fill)


async def keep_child(api, child, live, fill):
    if child["once"]:
        if live is None:
            await api.send("POST", path_of(child), fill(child["text"]), accepted=(409,))
        return
    text = fill(child["text"])
    if live is None or not covers(live, json.loads(text)):
        path = f"{path_of(child)}/{fill(child['name'])}?fieldManager=dkp-operator&force=true"
        await api.send("PATCH", path, text, APPLY)


async def write_status(api, guild, fill):
    status, metadata = guild.get("status", {}), guild["metadata"]
    if status.get("phase") == "Ready" and status.get("observedGeneration") == metadata["generation"]:
        return
    group, version, plural = GUILDS
    path = f"/apis/{group}/{version}/namespaces/{NAMESPACE}/{plural}/{metadata['name']}/status"
    await api.send("PATCH", f"{path}?fieldManager=dkp-operator&force=true", fill(TEMPLATES["status"]), APPLY)


async def has_token(api, guild):
    name = guild["spec"]["discord"]["tokenSecretRef"]["name"]
    return await api.send("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}", accepted=(404,)) == 200


def path_of(child):
    version = child["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{NAMESPACE}/{child['plural']}"


def filler(guild, cluster):
    """A function that puts the guild's facts in the place of placeholders."""
    metadata, spec = guild["metadata"], guild["spec"]
    conditions = guild.get("status", {}).get("conditions", [])
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": metadata["uid"],
        "guildId": spec["guildId"],
        "minimumBid": str(spec["rules"]["auctions"]["minimumBid"]),
        "generation": str(metadata["generation"]),
        "since": conditions[0]["lastTransitionTime"] if conditions else now,
        "cluster": cluster["metadata"]["uid"][:8] if cluster else "",
    }
    return lambda text: re.sub(r"\{\{(\w+)\}\}", lambda match: facts[match[1]], text)


def covers(live, desired):
    """Whether `live` holds everything that `desired` says."""
    if not desired and not live:
        return True
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(covers(live.get(key), desired[key]) for key in desired)
    if isinstance(desired, list):
        return isinstance(live, list) and len(live) == len(desired) and all(map(covers, live, desired))
    return live == desired


def holds(live, kind):
    conditions = (live or {}).get("status", {}).get("conditions", [])
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)


def is_database_ready(cluster):
    roles = (cluster or {}).get("status", {}).get("managedRolesStatus", {}).get("byStatus", {})
    return holds(cluster, "Ready") and "dkp_bot" in roles.get("reconciled", [])


def is_available(deployment):
    if deployment is None:
        return False
    status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
    settled = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return settled and status.get("updatedReplicas") == replicas == status.get("availableReplicas")


async def main():
    ready = asyncio.Event()

    async def tell():
        await ready.wait()
        print('{"ready":true}', flush=True)

    telling = asyncio.create_task(tell())
    await kopf.operator(standalone=True, namespaces=[NAMESPACE], ready_flag=ready, memo=kopf.Memo())
    telling.cancel()


asyncio.run(main())
