import { describe, expect, it } from "vitest"
import * as TaskIds from "../src/serve/client/TaskIds.js"

const ids = TaskIds.make()

describe("ids of tasks in serve", () => {
  it("[G3:unit] lead back to their server, whatever its name and the id are", () => {
    for (const server of ["a", "a:b", "%3A", "ä b", "a/b"]) {
      for (const id of ["x", "", "y:z", "%"]) {
        const { taskId } = ids.inResult(server, { taskId: id })
        expect(ids.find(taskId)).toEqual({ server, id })
      }
    }
    for (const id of [undefined, 1, "", "x", ":x", "%:x"]) expect(ids.find(id)).toBeUndefined()
  })

  it("[G3:unit] are changed where the protocol has them, and nothing else is", () => {
    const related = "io.modelcontextprotocol/related-task"
    const result = {
      task: { taskId: "t", status: "working" },
      content: [{ taskId: "t" }],
      _meta: { [related]: { taskId: "t" }, own: 1 }
    }
    expect(ids.inResult("s", result)).toEqual({
      task: { taskId: "s:t", status: "working" },
      content: [{ taskId: "t" }],
      _meta: { [related]: { taskId: "s:t" }, own: 1 }
    })
    const plain = { content: [], _meta: { own: 1 } }
    expect(ids.inResult("s", plain)).toBe(plain)
    expect(["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"].every(TaskIds.isAboutTask)).toBe(true)
    expect(["tasks/list", "tasks/get/x", "tools/call"].some(TaskIds.isAboutTask)).toBe(false)
  })
})
