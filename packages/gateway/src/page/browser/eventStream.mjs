/**
 * Reads server-sent events from a body. EventSource cannot be used: it sends no Authorization header.
 */

/** How much of one event is read before the stream is given up: the page's memory is bounded. */
const mostCharacters = 32 * 1024 * 1024

/**
 * The events of a stream: their name and their data. `onBytes` is called for whatever comes, comments too.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @param {() => void} onBytes
 * @returns {AsyncGenerator<{ readonly event: string, readonly data: string }>}
 */
export async function* read(body, onBytes) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  let event = ""
  /** @type {Array<string>} */
  let data = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      onBytes()
      const lines = (rest + value).split(/\r?\n/)
      rest = lines.pop() ?? ""
      for (const line of lines) {
        size += line.length
        if (line === "") {
          if (data.length > 0) yield { event: event || "message", data: data.join("\n") }
          event = ""
          data = []
          size = 0
        } else if (line.startsWith("event:")) event = line.slice(6).trim()
        else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5))
      }
      if (size + rest.length > mostCharacters) throw new Error("An event is too large")
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}
