import type { KubeClient } from "./client.ts";
import type { KubeObject, Resource } from "./object.ts";

/** Objects a page. */
const pageSize = 500;

/** All objects of a kind, page by page. Throws a KubeError, a 404 where the API server does not know the kind. */
export async function listAll<T extends KubeObject>(
  client: Pick<KubeClient, "list">,
  resource: Resource,
  query: { namespace?: string | undefined; labelSelector?: string; fieldSelector?: string },
): Promise<T[]> {
  const found: T[] = [];
  let next: string | undefined;
  do {
    const page = await client.list<T>(resource, { ...query, limit: pageSize, continue: next });
    found.push(...page.items);
    next = page.continue;
  } while (next !== undefined && next !== "");
  return found;
}
