import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"

export interface Reader {
  readonly response: ServerResponse
  readonly status: () => number | undefined
  readonly headers: () => Readonly<Record<string, string>>
  readonly text: () => string
  readonly end: () => "destroyed" | "ended" | undefined
  readonly drain: () => void
  readonly leave: () => void
}

/** `isSlow`: after the first write it wants no more until it is drained. */
export const make = (isSlow = false): Reader => {
  let text = ""
  let status: number | undefined
  let headers: Readonly<Record<string, string>> = {}
  let end: ReturnType<Reader["end"]>
  let isFull = false
  const emitter = new EventEmitter()
  const over = (how: "destroyed" | "ended"): void => {
    end ??= how
    queueMicrotask(() => emitter.emit("close"))
  }
  const response = Object.assign(emitter, {
    writeHead: (given: number, others: Readonly<Record<string, string>> = {}) => {
      status = given
      headers = others
      return response
    },
    flushHeaders: () => undefined,
    write: (part: string) => {
      text += part
      isFull = isSlow
      return !isFull
    },
    end: (part = "") => {
      text += part
      over("ended")
    },
    destroy: () => over("destroyed")
  })
  Object.defineProperty(response, "writableNeedDrain", { get: () => isFull })
  return {
    response: response as unknown as ServerResponse,
    status: () => status,
    headers: () => headers,
    text: () => text,
    end: () => end,
    drain: () => {
      isFull = false
      emitter.emit("drain")
    },
    leave: () => void emitter.emit("close")
  }
}
