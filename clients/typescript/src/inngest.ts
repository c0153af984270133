/** The events in the form that Inngest's `EventSchemas().fromRecord` takes. */

import type { EventDataByName } from "./events.js";

/** Name and data of each event that carries references. */
export type Events = { [Name in keyof EventDataByName]: { data: EventDataByName[Name] } };
