/**
 * Writes `src/events.ts` from `schemas/events`: `node scripts/events.mjs SCHEMAS TARGET`.
 *
 * The rule: the schemas are the source; a test compares the file with what this writes.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { compile } from "json-schema-to-typescript";

const [, , folder, target] = process.argv;
const definitions = {};
const events = {};
for (const name of readdirSync(folder).sort()) {
  // `anyOf` says that one of two fields leads to the bytes, which a TypeScript interface cannot.
  const { $schema: _, $id: event, $defs: inner = {}, anyOf: __, ...schema } = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const title = event.split(/[^A-Za-z0-9]+/).map((word) => word[0].toUpperCase() + word.slice(1)).join("");
  for (const [each, definition] of Object.entries(inner)) definitions[each] = named(definition, each);
  definitions[title] = named(schema, title);
  events[event] = { $ref: `#/$defs/${title}` };
}
const all = {
  title: "EventDataByName",
  description: "The data of each event by its name.",
  type: "object",
  properties: events,
  required: Object.keys(events),
  additionalProperties: false,
  $defs: definitions,
};
const text = await compile(all, "EventDataByName", {
  bannerComment: "/** The events that carry references. Written by `npm run events` from `schemas/events`; do not edit. */",
  additionalProperties: true,
  unreachableDefinitions: true,
  strictIndexSignatures: false,
  style: { printWidth: 120 },
});
writeFileSync(target, text.replace(/\n \*\n \* This interface was referenced by[^]*?(?=\n \*\/)/g, ""));

/** The schema under one name; titles of fields would become types of their own. */
function named(schema, title) {
  const bare = (value) => {
    if (Array.isArray(value)) return value.map(bare);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key, each]) => key !== "title" || typeof each !== "string")
        .map(([key, each]) => [key, bare(each)]),
    );
  };
  return { ...bare(schema), title };
}
