import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Exit, Scope } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder as makeFolder } from "../../../testing/test/support/folder.js"
import * as Identities from "../support/Identities.js"
import { type HttpTalk, talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const script = (name: string) => fileURLToPath(new URL(`../../../testing/test/support/${name}.mjs`, import.meta.url))

const eras = {
  "with sessions": { isStateless: false, args: [script("taskServer"), "stdio", "kept"], task: { task: {} } },
  "without": { isStateless: true, args: [script("statelessTaskServer"), "stdio"], task: {} }
} as const

type Era = (typeof eras)[keyof typeof eras]

const patient = { connect: "2 minutes", wait: "2 minutes" } as const

/** The server `o`, whose tasks are in files and take no time, and what it was asked. */
const serverOf = ({ args, isStateless }: Era) =>
  Effect.map(makeFolder, (folder) => {
    const connector = StdioConnector.make({
      command: process.execPath,
      args: [...args, folder, "0"],
      protocol: isStateless ? "2026" : "2025"
    })
    const server: ServerPool.Server = { id: "o", connector, timeouts: patient }
    const effects = () =>
      readFileSync(join(folder, "effects"), "utf8").trim().split("\n").map((line) => line.split(" ")[0])
    return { server, effects }
  })

const begun = (talk: HttpTalk, { task }: Era, tool = "long") =>
  Effect.promise(async (): Promise<string> => {
    const result = await talk.result("tools/call", { name: `o__${tool}`, arguments: {}, ...task })
    return result.taskId ?? result.task.taskId
  })

/** A task that ann has begun at a gateway that is gone, at a server that each client has for itself; and what the next gateway needs to know its id. */
const begunBefore = Effect.fnUntraced(function*(era: Era) {
  const { server } = yield* serverOf(era)
  const own = { ...server, sessions: "per-client" } as const
  const sessions = { seal: SealedId.make(SealedId.randomSecret()) }
  const first = yield* Scope.make()
  const { url } = yield* Scope.extend(team([own], { ann: {}, ben: {} }, { sessions }), first)
  const task = yield* begun(yield* Scope.extend(talking(url, "ann-token", era), first), era)
  yield* Scope.close(first, Exit.void)
  return { own, sessions, task }
})

const about = (talk: HttpTalk, taskId: string, { isStateless }: Era) =>
  Effect.promise(async () => {
    const methods = isStateless
      ? ["tasks/get", "tasks/update", "tasks/cancel"]
      : ["tasks/get", "tasks/result", "tasks/cancel"]
    const errors: Array<unknown> = []
    for (const method of methods) {
      errors.push((await talk.ask(method, { taskId, inputResponses: {} })).answer?.error)
    }
    return errors
  })

const unknown = { code: -32_602, message: "Task not found" }
const allUnknown = [unknown, unknown, unknown]

describe.each(Object.entries(eras))("tasks of clients in the era %s", (_, era) => {
  for (const [who, identify] of Object.entries(Identities.all)) {
    // What a door takes clients by is the same in both eras.
    if (who !== (era.isStateless ? "people with access tokens" : "clients with tokens")) continue
    test.scopedLive(`[G22:real G3] a task is unknown to everybody else, and in no list: ${who}`, function*() {
      const { effects, server } = yield* serverOf(era)
      const { people, ...door } = yield* identify
      const servers = yield* ServerPool.make([server], { waitTimeout: patient.wait })
      const { url } = yield* Endpoint.serve({ ...door, servers, introductionWait: "2 minutes", drain: 0 })
      yield* servers.shared.fleet.ready
      const [ann, ben] = yield* people(url, era)
      if (ben === undefined) throw new Error("there is only one")
      yield* Effect.promise(() => Promise.all([ann.begin(), ben.begin()]))
      const task = yield* begun(ann, era)
      const before = effects()
      expect(yield* about(ben, task, era)).toEqual(allUnknown)
      // As one that there never was.
      expect(yield* about(ben, "o/long@mark:x", era)).toEqual(allUnknown)
      expect(effects()).toEqual(before)
      for (const one of [ann, ben]) {
        const { answer } = yield* Effect.promise(() => one.ask("tasks/list"))
        expect(answer?.error?.code).toBe(-32_601)
      }
      const method = era.isStateless ? "tasks/get" : "tasks/result"
      const result = yield* Effect.promise(() => ann.result(method, { taskId: task }))
      expect(JSON.stringify(result)).toContain("done")
    })
  }

  test.scopedLive("[G22:real] a task of a tool that the client may not use any more is unknown to it, and known again with the tool", function*() {
    const { effects, server } = yield* serverOf(era)
    const { change, url } = yield* team([server], { ann: {}, ben: {} })
    const [ann, ben] = yield* Effect.all([talking(url, "ann-token", era), talking(url, "ben-token", era)])
    const [task, other] = [yield* begun(ann, era), yield* begun(ben, era)]
    const either = yield* begun(ann, era, "either")
    const before = effects()
    for (const rules of [{ tools: { hide: ["o__long"] } }, { tools: ["o__either"] }, { servers: [] }]) {
      yield* change({ ann: rules, ben: {} })
      expect([rules, yield* about(ann, task, era)]).toEqual([rules, allUnknown])
    }
    expect(effects()).toEqual(before)
    yield* change({ ann: { tools: { hide: ["o__long"] } }, ben: {} })
    for (const [one, id] of [[ann, either], [ben, other]] as const) {
      expect(yield* Effect.promise(() => one.result("tasks/get", { taskId: id })))
        .toMatchObject({ status: "completed" })
    }
    yield* change({ ann: {}, ben: {} })
    expect(yield* Effect.promise(() => ann.result("tasks/get", { taskId: task }))).toMatchObject({ taskId: task })
  })

  test.scopedLive("[G22:real G19:real G5] so is one of a tool that a saved file hides from everybody", function*() {
    const { server } = yield* serverOf(era)
    const { servers, url } = yield* team([server], { ann: {} })
    const ann = yield* talking(url, "ann-token", era)
    const [task, either] = [yield* begun(ann, era), yield* begun(ann, era, "either")]
    yield* servers.apply([{ ...server, tools: { hide: ["long"] } }])
    expect(yield* about(ann, task, era)).toEqual(allUnknown)
    const get = (taskId: string) => Effect.promise(() => ann.result("tasks/get", { taskId }))
    expect(yield* get(either)).toMatchObject({ taskId: either, status: "completed" })
    yield* servers.apply([server])
    expect(yield* get(task)).toMatchObject({ taskId: task, status: "completed" })
  })

  test.scopedLive("[G3:real G10 C17:real] a task of a server that the client has for itself is found after a restart, before anything else has started that server", function*() {
    const { own, sessions, task } = yield* begunBefore(era)
    const { url } = yield* team([own], { ann: {} }, { sessions })
    const ann = yield* talking(url, "ann-token", era)
    expect(yield* Effect.promise(() => ann.result("tasks/get", { taskId: task }))).toMatchObject({ taskId: task })
  })

  test.scopedLive("[G3:real G22] a task whose server cannot start for lack of room is not called unknown: its client would give it up", function*() {
    const { own, sessions, task } = yield* begunBefore(era)
    const { url } = yield* team([own], { ann: {}, ben: {} }, { sessions, limits: { maxOwnServers: () => 1 } })
    const [ann, ben] = yield* Effect.all([talking(url, "ann-token", era), talking(url, "ben-token", era)])
    // What is open is not ended to make room.
    yield* Effect.promise(() => ben.listen())
    yield* begun(ben, era)
    const error = yield* Effect.promise(() => ann.error("tasks/get", { taskId: task }))
    expect(error.message).toContain("lifeline.maxOwnServers")
  })
})
