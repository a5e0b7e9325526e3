import { Effect } from "effect"
import { connect } from "node:net"

/** Sends a text as it is; gives the answer, once the other end has closed. */
export const raw = (port: number, head: string, body = ""): Effect.Effect<string> =>
  Effect.promise(() =>
    new Promise((resolve, reject) => {
      let text = ""
      const socket = connect(port, "127.0.0.1", () => socket.write(`${head}\r\nConnection: close\r\n\r\n${body}`))
      socket.setEncoding("utf8").on("data", (chunk) => (text += chunk)).on("close", () => resolve(text)).on(
        "error",
        reject
      )
    })
  )

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
