import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as OwnedTexts from "../../src/clients/OwnedTexts.js"
import * as TaskIds from "../../src/clients/TaskIds.js"

const seal = SealedId.make(Redacted.make("a secret"))
const owned = (owner: string) => new TaskIds.TaskIds({ owner, seal })
const names = ["a", "a:b", "%3A", "ä b", "a/b", "a@b", "", "😀"]
const related = "io.modelcontextprotocol/related-task"

describe("ids of tasks in serve", () => {
  it("[G3:unit] lead back to their server and tool, whatever their names and the id are", () => {
    const ids = owned("")
    for (const server of names) {
      for (const tool of names) {
        for (const id of ["x", "", "y:z", "%", "a@b/c", "\ud800"]) {
          const { taskId } = ids.inResult({ server, tool }, { taskId: id })
          expect(ids.find(taskId)).toEqual({ server, tool, id })
          // The same each time: clients compare them.
          expect(owned("").inResult({ server, tool }, { taskId: id })).toEqual({ taskId })
        }
      }
    }
    // A server may give names that are no text.
    expect(ids.find(ids.inResult({ server: "s", tool: "t\ud800" }, { taskId: "x" }).taskId)?.tool).toBe("t\ufffd")
  })

  it("[G3:unit G22:unit] of another caller, changed, of another kind or without a mark are unknown", () => {
    const ids = owned("ann")
    const { taskId } = ids.inResult({ server: "s", tool: "t" }, { taskId: "x" })
    expect(ids.find(taskId)).toEqual({ server: "s", tool: "t", id: "x" })
    for (const other of ["", "ben", "an"]) expect(owned(other).find(taskId)).toBeUndefined()
    const other = (at: number) => taskId[at] === "s" ? "t" : "s"
    const more = [...taskId].map((_, at) => `${taskId.slice(0, at)}${other(at)}${taskId.slice(at + 1)}`)
    const left = [...taskId].map((_, at) => taskId.slice(0, at))
    const odd = [undefined, 1, "", "x", ":x", "s:x", "s/t:x", "s/t@:x", "%@:x", "s/t@@:x", `${taskId} `]
    const wrong = [...odd, ...more, ...left]
    expect(wrong.filter((one) => ids.find(one) !== undefined)).toEqual([])
    const state = OwnedTexts.make("requestState", { owner: "ann", seal }).seal({ path: ["s", "t"], text: "x" })
    expect(ids.find(state)).toBeUndefined()
    const elsewhere = new TaskIds.TaskIds({ owner: "ann", seal: SealedId.make(Redacted.make("another")) })
    expect(elsewhere.find(taskId)).toBeUndefined()
  })

  it("[G3:unit] are changed where the protocol has them, and nothing else is", () => {
    const ids = owned("ann")
    const result = (taskId: string) => ({
      task: { taskId, status: "working" },
      content: [{ taskId: "t" }],
      _meta: { [related]: { taskId }, own: 1 }
    })
    const { taskId } = ids.inResult({ server: "s", tool: "u" }, { taskId: "t" })
    expect(ids.inResult({ server: "s", tool: "u" }, result("t"))).toEqual(result(taskId))
    const plain = { content: [], _meta: { own: 1 } }
    expect(ids.inResult({ server: "s", tool: "u" }, plain)).toBe(plain)
    expect(["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"].every(TaskIds.isAboutTask)).toBe(true)
    expect(["tasks/list", "tasks/get/x", "tools/call"].some(TaskIds.isAboutTask)).toBe(false)
  })

  it("[G3:unit] what a server asks about a task has the id that the client knows, also after the gateway has started again", () => {
    const about = (taskId: string) => ({ message: "?", _meta: { [related]: { taskId } } })
    const idIn = (ids: TaskIds.TaskIds, server: string) => ids.inMessage(server, about("x"))._meta[related].taskId
    const first = owned("ann")
    const { taskId } = first.inResult({ server: "s", tool: "t" }, { taskId: "x" })
    expect(idIn(first, "s")).toBe(taskId)
    expect(idIn(first, "r")).not.toBe(taskId)
    expect(first.find(idIn(first, "r"))).toBeUndefined()
    const second = owned("ann")
    second.find(taskId)
    expect(idIn(second, "s")).toBe(taskId)
    const none = { message: "?" }
    expect(second.inMessage("s", none)).toBe(none)
  })

  it("[G3:unit G17] a thousand are remembered of a conversation, those that were used last", () => {
    const ids = owned("ann")
    const idOf = (at: number) => ids.inResult({ server: "s", tool: "t" }, { taskId: `${at}` }).taskId
    const given = Array.from({ length: 1001 }, (_, at) => idOf(at))
    const knows = (at: number) =>
      ids.inMessage("s", { _meta: { [related]: { taskId: `${at}` } } })._meta[related].taskId === given[at]
    expect([knows(0), knows(1), knows(1000)]).toEqual([false, true, true])
    ids.find(given[1])
    ids.find(given[0])
    expect([knows(0), knows(1), knows(2)]).toEqual([true, true, false])
  })
})
