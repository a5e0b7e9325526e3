/** The response of somebody who reads a stream, or does not; without a socket. */
import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"

export interface Reader {
  readonly response: ServerResponse
  /** What was written. */
  readonly text: () => string
  /** How it ended. */
  readonly end: () => "destroyed" | "ended" | undefined
  /** Reads on, after it was slow. */
  readonly drain: () => void
}

/** `isSlow`: after the first write it wants no more until it is drained. */
export const make = (isSlow = false): Reader => {
  let text = ""
  let end: ReturnType<Reader["end"]>
  let isFull = false
  const emitter = new EventEmitter()
  const over = (how: "destroyed" | "ended"): void => {
    end ??= how
    queueMicrotask(() => emitter.emit("close"))
  }
  const response = Object.assign(emitter, {
    writeHead: () => response,
    flushHeaders: () => undefined,
    write: (part: string) => {
      text += part
      isFull = isSlow
      return !isFull
    },
    end: () => over("ended"),
    destroy: () => over("destroyed")
  })
  Object.defineProperty(response, "writableNeedDrain", { get: () => isFull })
  return {
    response: response as unknown as ServerResponse,
    text: () => text,
    end: () => end,
    drain: () => {
      isFull = false
      emitter.emit("drain")
    }
  }
}
