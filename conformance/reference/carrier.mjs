/**
 * Gives a process that speaks 2026-07-28 over stdio a URL: `node carrier.mjs COMMAND [ARGUMENTS]`. Each request that is posted goes to it as a
 * line, under an id of ours, and what it says until the answer comes back as events. What belongs to HTTP alone (headers, statuses) is not
 * looked at.
 */
import { spawn } from "node:child_process"
import { listen } from "./listen.mjs"

const subscription = "io.modelcontextprotocol/subscriptionId"

const [, , command = "", ...args] = process.argv
const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] })
process.once("SIGTERM", () => child.stdin.end())
child.once("exit", () => process.exit())

/** Requests that are not answered, by the id that they have there. @type {Map<number, { id: unknown, token: unknown, say: (message: object) => void, end: () => void }>} */
const open = new Map()
let last = 0

/** @param {any} message */
const receive = (message) => {
  if (message.method === undefined) {
    const asked = open.get(message.id)
    asked?.say({ ...message, id: asked.id })
    return asked?.end()
  }
  const { _meta, progressToken } = message.params ?? {}
  for (const [id, { id: own, say, token }] of open) {
    if (_meta?.[subscription] !== undefined) {
      if (_meta[subscription] === id) {
        say({ ...message, params: { ...message.params, _meta: { ..._meta, [subscription]: own } } })
      }
    } else if (progressToken === undefined || progressToken === token) say(message)
  }
}

let rest = ""
child.stdout.setEncoding("utf8").on("data", (chunk) => {
  const lines = (rest + chunk).split("\n")
  rest = lines.pop() ?? ""
  for (const line of lines) receive(JSON.parse(line))
})

/** @param {object} message */
const write = (message) => child.stdin.write(`${JSON.stringify(message)}\n`)

listen(async (request, response) => {
  let text = ""
  for await (const piece of request.setEncoding("utf8")) text += piece
  const message = JSON.parse(text)
  if (message.id === undefined) {
    write(message)
    return void response.writeHead(202).end()
  }
  const id = ++last
  response.writeHead(200, { "content-type": "text/event-stream" })
  open.set(id, {
    id: message.id,
    token: message.params?._meta?.progressToken,
    say: (said) => response.write(`event: message\ndata: ${JSON.stringify(said)}\n\n`),
    end: () => {
      open.delete(id)
      response.end()
    }
  })
  response.once("close", () => {
    if (open.delete(id)) write({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } })
  })
  write({ ...message, id })
})
