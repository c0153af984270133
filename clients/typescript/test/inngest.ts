/**
 * Runs the documented Inngest steps with a fake step, and prints what each scenario gave, as one line of JSON each.
 *
 * Arguments: the bucket, a file, a copy of it elsewhere, and the program of the commands.
 */

import { configFromEnvironment, ObjectStore, type Events, type ObjectRef } from "@joelclaw/object-store";

import { objectStore } from "../examples/command_step.js";
import { archiveMedia, type Received, type Step } from "../examples/media_step.js";

/** Memoises as Inngest does: what a step gave is JSON, and a step that gave something does not run again. */
class FakeStep implements Step {
  readonly sent: { name: string; data: unknown }[] = [];
  readonly ran: string[] = [];
  /** How many events are lost before one is sent. */
  lost = 0;
  readonly #memo = new Map<string, string>();

  async run<T>(id: string, action: () => Promise<T>): Promise<T> {
    const known = this.#memo.get(id);
    if (known !== undefined) return JSON.parse(known) as T;
    this.ran.push(id);
    const text = JSON.stringify(await action());
    this.#memo.set(id, text);
    return JSON.parse(text) as T;
  }

  sendEvent<Name extends keyof Events>(_: string, event: { name: Name; data: Events[Name]["data"] }): Promise<unknown> {
    if (this.lost > 0) {
      this.lost -= 1;
      return Promise.reject(new Error("the event is lost"));
    }
    this.sent.push(event);
    return Promise.resolve();
  }
}

const [bucket = "", file = "", copy = "", program = ""] = process.argv.slice(2);
const store = new ObjectStore(configFromEnvironment());
const happened = Date.UTC(2026, 10, 30, 23, 59, 59);

function received(localPath: string): Received {
  const data = { source: "telegram", type: "image", localPath, mimeType: "image/jpeg", fileName: "é 72  2026.jpg", fileSize: 3 };
  return { ts: happened, data };
}

async function tell(scenario: string, step: FakeStep, calls: (() => Promise<ObjectRef>)[]): Promise<void> {
  const refs: ObjectRef[] = [];
  const errors: string[] = [];
  for (const call of calls) {
    try {
      refs.push(await call());
    } catch (fault) {
      errors.push((fault as Error).name);
    }
  }
  process.stdout.write(`${JSON.stringify({ scenario, refs, errors, sent: step.sent, ran: step.ran })}\n`);
}

const given = (step: Step, path = file, to = store) => () => archiveMedia(to, bucket, { event: received(path), step });

const away = new FakeStep();
const nowhere = new ObjectStore(
  configFromEnvironment({ ...process.env, S3_ENDPOINT: "https://127.0.0.1:9", NO_PROXY: "*" }),
  { attempts: 1 },
);
await tell("away, then back", away, [given(away, file, nowhere), given(away)]);

const first = new FakeStep();
await tell("first time", first, [given(first)]);

const retried = new FakeStep();
retried.lost = 1;
await tell("retried", retried, [given(retried), given(retried)]);

const again = new FakeStep();
await tell("called twice, from another path", again, [given(again, copy)]);

const { now } = Date;
Date.now = () => now() + 25 * 60 * 60 * 1000;
const later = new FakeStep();
const tomorrow = new ObjectStore(configFromEnvironment());
await tell("25 hours later", later, [given(later, copy, tomorrow)]);
tomorrow.close();
Date.now = now;

for (const args of [
  ["stat", `s3://${bucket}/${(await archiveMedia(store, bucket, { event: received(file), step: new FakeStep() })).key}`],
  ["stat", `s3://${bucket}/none`],
]) {
  const outcome = await objectStore(program, ...args).catch((fault: unknown) => ({ error: (fault as Error).message }));
  process.stdout.write(`${JSON.stringify({ command: args[0], ...outcome })}\n`);
}
store.close();
nowhere.close();
