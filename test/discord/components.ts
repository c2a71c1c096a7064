import type { Component } from "./driver.ts";

export type Fault = { path: string[]; code: string; message: string };

const actionRow = 1;
const button = 2;
const selects = new Set([3, 5, 6, 7, 8]);
const textDisplay = 10;
const maxNested = 40;
const maxDisplayedText = 4_000;

function childrenOf(component: Component): { path: string[]; component: Component }[] {
  const list = (component["components"] ?? []) as Component[];
  const children = list.map((child, index) => ({ path: ["components", String(index)], component: child }));
  const accessory = (component["accessory"] ?? component["component"]) as Component | undefined;
  return accessory === undefined ? children : [...children, { path: ["accessory"], component: accessory }];
}

/** Every component with its path, parents first. */
export function walk(
  components: Component[],
  at: string[] = ["components"],
): { path: string[]; component: Component }[] {
  return components.flatMap((component, index) => {
    const path = [...at, String(index)];
    return [{ path, component }, ...below(component, path)];
  });
}

function below(component: Component, at: string[]): { path: string[]; component: Component }[] {
  return childrenOf(component).flatMap((child) => {
    const path = [...at, ...child.path];
    return [{ path, component: child.component }, ...below(child.component, path)];
  });
}

/** Rules of components beyond their schema. */
export function componentFaults(components: Component[], v2: boolean): Fault[] {
  const all = walk(components);
  return [
    ...duplicates(all),
    ...all.flatMap(({ path, component }) => [
      ...(component.type === actionRow ? rowFaults(path, component) : []),
      ...(component.type === button ? buttonFaults(path, component) : []),
      ...(component.type === 3 ? selectFaults(path, component) : []),
    ]),
    ...(v2 ? v2Faults(all) : legacyFaults(components)),
  ];
}

function duplicates(all: { path: string[]; component: Component }[]): Fault[] {
  const seen = new Set<unknown>();
  return all.flatMap(({ path, component }) => {
    const id = component["custom_id"];
    if (id === undefined || id === null) return [];
    if (!seen.has(id)) {
      seen.add(id);
      return [];
    }
    const message = "Component custom id cannot be duplicated";
    return [{ path: [...path, "custom_id"], code: "COMPONENT_CUSTOM_ID_DUPLICATED", message }];
  });
}

function rowFaults(path: string[], row: Component): Fault[] {
  const children = (row["components"] ?? []) as Component[];
  const hasSelect = children.some(({ type }) => selects.has(type));
  if (!hasSelect || children.length === 1) return [];
  const message = "The specified component exceeds the maximum width";
  return [{ path: [...path, "components"], code: "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message }];
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

function buttonFaults(path: string[], component: Component): Fault[] {
  const { style, custom_id: customId, url, label, emoji } = component as Record<string, unknown>;
  const faults: Fault[] = [];
  if (style === 5 && !given(url)) {
    faults.push({ path, code: "BASE_TYPE_REQUIRED", message: "A url is required" });
  }
  if (style !== 5 && style !== 6 && !given(customId)) {
    faults.push({ path, code: "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", message: "A custom id is required" });
  }
  if (given(url) && given(customId)) {
    const message = "A custom id and url cannot both be specified";
    faults.push({ path, code: "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", message });
  }
  if (style !== 6 && !given(label) && !given(emoji)) {
    const message = "A label or emoji is required";
    faults.push({ path, code: "BUTTON_COMPONENT_INVALID_LABEL", message });
  }
  return faults;
}

function selectFaults(path: string[], component: Component): Fault[] {
  const options = (component["options"] ?? []) as { value: string }[];
  const faults: Fault[] = [];
  if (new Set(options.map(({ value }) => value)).size < options.length) {
    const message = "The specified option value is already used";
    faults.push({ path: [...path, "options"], code: "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message });
  }
  const min = (component["min_values"] ?? 1) as number;
  const max = (component["max_values"] ?? 1) as number;
  if (max > options.length || min > max) {
    const message = "Min and max values must lie within the options";
    faults.push({ path, code: "SELECT_COMPONENT_MAX_VALUES_TOO_BIG", message });
  }
  return faults;
}

function v2Faults(all: { path: string[]; component: Component }[]): Fault[] {
  const faults: Fault[] = [];
  if (all.length > maxNested) {
    const message = `The message has more than ${maxNested} components`;
    faults.push({ path: ["components"], code: "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", message });
  }
  const shown = all
    .filter(({ component }) => component.type === textDisplay)
    .reduce((sum, { component }) => sum + JSON.stringify(component["content"] ?? "").length - 2, 0);
  if (shown > maxDisplayedText) {
    const message = `The total displayable text exceeds ${maxDisplayedText} characters`;
    faults.push({ path: ["components"], code: "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message });
  }
  return faults;
}

function legacyFaults(components: Component[]): Fault[] {
  const faults: Fault[] = components.flatMap(({ type }, index) =>
    type === actionRow
      ? []
      : [
          {
            path: ["components", String(index), "type"],
            code: "UNION_TYPE_CHOICES",
            message: 'Value of field "type" must be one of (1,) without the flag IS_COMPONENTS_V2.',
          },
        ],
  );
  if (components.length > 5) {
    faults.push({
      path: ["components"],
      code: "BASE_TYPE_BAD_LENGTH",
      message: "Must be between 1 and 5 in length.",
    });
  }
  return faults;
}

/** Components as Discord answers them: every one with an id, and with the defaults filled in. */
export function storedComponents(components: Component[], newId: () => string): Component[] {
  const copy = structuredClone(components);
  const taken = new Set(walk(copy).flatMap(({ component }) => (component.id ? [component.id] : [])));
  let next = 1;
  for (const { component } of walk(copy)) {
    while (taken.has(next)) next += 1;
    if (!component.id) {
      component.id = next;
      taken.add(next);
    }
    fill(component, newId);
  }
  return copy;
}

function fill(component: Component, newId: () => string): void {
  for (const [key, value] of Object.entries(component)) if (value === null) delete component[key];
  const media = (source: unknown) => {
    const { url } = source as { url: string };
    return { id: newId(), url, proxy_url: url };
  };
  if (selects.has(component.type)) {
    component["min_values"] ??= 1;
    component["max_values"] ??= 1;
  }
  if (component.type === 17) {
    component["accent_color"] ??= null;
    component["spoiler"] ??= false;
  }
  if (component.type === 14) {
    component["spacing"] ??= 1;
    component["divider"] ??= true;
  }
  if (component.type === 11) {
    component["media"] = media(component["media"]);
    component["description"] ??= null;
    component["spoiler"] ??= false;
  }
  if (component.type === 12) {
    const items = component["items"] as Record<string, unknown>[];
    component["items"] = items.map((item) => ({
      media: media(item["media"]),
      description: item["description"] ?? null,
      spoiler: item["spoiler"] ?? false,
    }));
  }
}
