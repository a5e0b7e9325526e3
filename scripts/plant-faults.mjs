#!/usr/bin/env node
/**
 * Shows that the model test is sharp: plants one fault at a time in a copy of core, runs the model against the copy, and says
 * after how many generated runs the fault was found. Exit code 1 where one was not found, or could not be planted.
 *
 * Usage: node scripts/plant-faults.mjs [--runs 2500] [name ...]
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const core = join(root, "packages", "core")

/** @type {ReadonlyArray<{ name: string, edits: ReadonlyArray<{ file: string, from: string, to: string }> }>} */
const faults = [
  {
    name: "close twice",
    edits: [
      {
        file: "Runtime.ts",
        from: "if (!this.#owned.delete(runtime)) return Effect.void",
        to: "this.#owned.delete(runtime)"
      },
      {
        file: "Supervisor.ts",
        from: "Effect.zipRight(this.#retire(runtime, loss)),",
        to: "Effect.zipRight(this.#retire(runtime, loss)), Effect.zipRight(this.#retire(runtime, loss)),"
      }
    ]
  },
  {
    name: "drop the generation check of losses",
    edits: [{
      file: "Supervisor.ts",
      from: "return this.#journal.isCurrent(message.runtime) ? this.#lose(message.runtime, message.loss) : Effect.void",
      to: "return this.#journal.published.value.current ? this.#lose(message.runtime, message.loss) : Effect.void"
    }]
  },
  {
    name: "drop the generation check of lists",
    edits: [{ file: "Attendant.ts", from: "if (slot.current?.runtime !== runtime) return\n", to: "\n" }]
  },
  {
    name: "drop the epoch check of established attempts",
    edits: [{ file: "Supervisor.ts", from: "if (epoch !== this.#epoch) {", to: "if (epoch < 0) {" }]
  },
  {
    name: "drop the epoch check of failed attempts",
    edits: [{
      file: "Supervisor.ts",
      from: "return message.epoch === this.#epoch ? this.#failed(message.error) : Effect.void",
      to: "return this.#failed(message.error)"
    }]
  },
  {
    // Interrupting the timer is the other guard: each alone holds.
    name: "drop the epoch check and the interruption of timers",
    edits: [
      {
        file: "Supervisor.ts",
        from: "if (message.epoch !== this.#epoch || !this.#move(Lifecycle.Event.Due())) return Effect.void",
        to: "if (!this.#move(Lifecycle.Event.Due())) return Effect.void"
      },
      { file: "Supervisor.ts", from: "this.#timer?.unsafeInterruptAsFork(FiberId.none)", to: "" }
    ]
  },
  {
    name: "await the close before the next connection",
    edits: [{
      file: "Supervisor.ts",
      from: "if (!this.#overlap) yield* this.#owner.closed",
      to: "yield* this.#owner.closed"
    }]
  },
  {
    name: "await the close in the supervisor",
    edits: [{
      file: "Supervisor.ts",
      from: "Effect.zipRight(this.#retire(runtime, loss)),",
      to: "Effect.zipRight(this.#retire(runtime, loss)), Effect.zipRight(this.#owner.closed),"
    }]
  },
  {
    name: "do not wait for the close where two would fight",
    edits: [{ file: "Supervisor.ts", from: "if (!this.#overlap) yield* this.#owner.closed", to: "" }]
  },
  {
    name: "forget the scope of a failed or interrupted attempt",
    edits: [{
      file: "Attempt.ts",
      from: 'yield* host.owner.retire(runtime, { kind: "closed", message: "the attempt failed" })',
      to: ""
    }]
  },
  {
    name: "heartbeat after detach",
    edits: [{
      file: "Runtime.ts",
      from: "const attached = yield* closeScope(runtime.attached, bound)",
      to: 'const attached = { outcome: "closed" as const, message: undefined }'
    }]
  },
  {
    name: "close before the detach is published",
    edits: [{
      file: "Supervisor.ts",
      from:
        "return this.#follow(event, { lastError: { message: loss.message, at: now } }, told).pipe(\n      Effect.zipRight(this.#retire(runtime, loss)),",
      to:
        "return Effect.zipRight(this.#retire(runtime, loss), Effect.repeatN(Effect.yieldNow(), 4)).pipe(\n      Effect.zipRight(this.#follow(event, { lastError: { message: loss.message, at: now } }, told)),"
    }]
  },
  {
    name: "heartbeat without its guard",
    edits: [{ file: "Keepalive.ts", from: "host.isCurrent() ? send()", to: "true ? send()" }]
  },
  {
    name: "Disabled before the teardown has ended",
    edits: [{
      file: "Supervisor.ts",
      from: 'yield* this.#owner.closed\n          this.#tell({ _tag: "TornDown", epoch })',
      to: 'this.#tell({ _tag: "TornDown", epoch })'
    }]
  },
  {
    name: "a command that is never answered",
    edits: [{ file: "Supervisor.ts", from: "this.#answerJoined(() => Exit.void)", to: "" }]
  },
  {
    name: "a failed attempt answers nobody",
    edits: [{
      file: "Supervisor.ts",
      from: "Effect.sync(() => this.#answerJoined(() => Exit.fail(error)))",
      to: "Effect.void"
    }]
  },
  {
    name: "shutdown leaves the mailbox",
    edits: [{
      file: "Supervisor.ts",
      from: 'if (message._tag === "Command") this.#answer([message.pending], (command) => this.#refusal(command))',
      to: ""
    }]
  },
  {
    name: "shutdown does not sweep",
    edits: [{
      file: "Supervisor.ts",
      from: "yield* this.#owner.sweep(loss)\n        yield* this.#owner.closed\n        this.#settle()",
      to: "yield* this.#owner.closed\n        this.#settle()"
    }]
  },
  {
    name: "an unknown fate is sent again",
    edits: [{ file: "Call.ts", from: '(fate !== "unknown" || this.#mayRepeat(call, runtime))', to: "true" }]
  },
  {
    name: "a waiting call wakes nobody",
    edits: [{ file: "Call.ts", from: "if (canHasten(slot.state)) this.#host.demand()", to: "" }]
  },
  {
    name: "a waiter that is not told of the end",
    edits: [{
      file: "Call.ts",
      from:
        'if (isPointless(slot.state)) return Effect.fail(this.#unavailable("the call was not sent"))\n        const left',
      to: "const left"
    }]
  },
  {
    name: "a generation that is used twice",
    edits: [{
      file: "Supervisor.ts",
      from: "const generation = journal.published.value.generation + 1",
      to: "const generation = Math.max(1, journal.published.value.generation)"
    }]
  },
  {
    name: "release a connection on which a call has just begun",
    edits: [{
      file: "Supervisor.ts",
      from: "if (runtime.vitals.inFlight > 0 || !this.#move(",
      to: "if (!this.#move("
    }]
  },
  {
    name: "a logger that throws ends the supervisor",
    edits: [
      {
        file: "internal/SafeLog.ts",
        from: "export const safely = (line: Effect.Effect<void>): Effect.Effect<void> =>",
        to:
          "export const safely = (line: Effect.Effect<void>) => line\nexport const unused = (line: Effect.Effect<void>): Effect.Effect<void> =>"
      },
      {
        file: "Supervisor.ts",
        from: "(cause) => this.#survive(message, cause)",
        to: "Effect.failCause"
      }
    ]
  },
  {
    name: "telemetry that throws ends the supervisor",
    edits: [
      {
        file: "internal/Observe.ts",
        from: "  } catch (defect) {\n    report(defect)\n",
        to: "  } catch (defect) {\n    throw defect\n"
      },
      { file: "Supervisor.ts", from: "(cause) => this.#survive(message, cause)", to: "Effect.failCause" }
    ]
  },
  {
    name: "a demand that moves the next attempt to later",
    edits: [{ file: "Supervisor.ts", from: "if (at >= nextAttemptAt) return Effect.void", to: "" }]
  },
  {
    name: "a stale catalogue shown as fresh",
    edits: [{
      file: "Slot.ts",
      from: "const stale = current === undefined || snapshot.generation !== generation",
      to: "const stale = current === undefined"
    }]
  }
]

const args = process.argv.slice(2)
const at = args.indexOf("--runs")
const runs = at === -1 ? "2500" : String(args[at + 1])
const names = args.filter((_, i) => at === -1 || (i !== at && i !== at + 1))
const copy = join(core, "build", `fault-${process.pid}`)
let missed = 0
for (const { edits, name } of faults) {
  if (names.length > 0 && !names.some((wanted) => name.includes(wanted))) continue
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  cpSync(join(core, "src"), join(copy, "src"), { recursive: true })
  cpSync(join(core, "test", "model"), join(copy, "test", "model"), { recursive: true })
  writeFileSync(
    join(copy, "vitest.config.ts"),
    'import { project } from "../../../../vitest.shared.js"\n\nexport default project("fault")\n'
  )
  const misplaced = edits.filter(({ file, from, to }) => {
    const target = join(copy, "src", file)
    const source = readFileSync(target, "utf8")
    writeFileSync(target, source.replace(from, () => to))
    return source.split(from).length !== 2
  })
  if (misplaced.length > 0) {
    console.log(`cannot be planted   ${name}: ${misplaced.map(({ file }) => file).join()} does not have its place once`)
    missed++
    continue
  }
  const { stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", copy],
    {
      cwd: copy,
      encoding: "utf8",
      env: { ...process.env, LIFELINE_MODEL_RUNS: runs, NO_COLOR: "1" },
      maxBuffer: 1 << 28
    }
  )
  const found = /after (\d+) (?:runs|tests)/.exec(stdout)
  if (found === null && !stdout.includes("2 passed")) throw new Error(`the model did not run:\n${stdout.slice(-2000)}`)
  const what = found === null ? "" : (/^t=\S+ (.*)$/m.exec(stdout)?.[1] ?? "")
  if (found === null) missed++
  console.log(
    found === null ? `NOT FOUND           ${name}` : `found in ${String(found[1]).padStart(5)} runs  ${name}  (${what})`
  )
}
rmSync(copy, { recursive: true, force: true })
process.exit(missed > 0 ? 1 : 0)
