/**
 * A process of ours that does what it is told over IPC.
 */
import { fork } from "node:child_process"
import { once } from "node:events"

/** @typedef {{ readonly text?: string | undefined, readonly error?: string | undefined, readonly sessions?: number }} Answer */

export class Child {
  #process
  #number = 0
  /** @type {Map<number, (answer: Answer) => void>} */
  #asked = new Map()
  /** @type {(text: string) => void} */
  #log

  /** @param {string} program @param {ReadonlyArray<string>} args @param {Record<string, string>} env @param {(text: string) => void} log @param {Array<string>} [execArgv] */
  constructor(program, args, env, log, execArgv = []) {
    this.#log = log
    this.#process = fork(program, args, {
      env: { ...process.env, ...env },
      execArgv,
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    this.#process.stderr?.setEncoding("utf8").on("data", (text) => this.#log(text.trimEnd()))
    this.#process.on("message", (/** @type {any} */ answer) => this.#answer(answer.number, answer))
    this.#process.on("error", () => {})
    this.#process.once("exit", (code, signal) => {
      for (const number of this.#asked.keys()) {
        this.#answer(number, { error: `its process ended with ${code ?? signal}` })
      }
    })
  }

  get pid() {
    return this.#process.pid
  }

  get hasEnded() {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** @param {number} number @param {Answer} answer */
  #answer(number, answer) {
    this.#asked.get(number)?.(answer)
    this.#asked.delete(number)
  }

  /** Gives its answer; one without text after `patience` milliseconds. @param {object} order @param {number} patience @returns {Promise<Answer>} */
  ask(order, patience) {
    if (this.hasEnded) return Promise.resolve({ error: "its process has ended" })
    const number = ++this.#number
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(number, { error: "no answer" }), patience)
      this.#asked.set(number, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      this.#process.send(
        { number, ...order },
        (error) => error !== null && this.#answer(number, { error: error.message })
      )
    })
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal) {
    if (!this.hasEnded) this.#process.kill(signal)
  }

  /** @param {() => void} callback */
  onEnd(callback) {
    this.#process.once("exit", callback)
  }

  /** Ends it, whatever it does. */
  async end() {
    if (this.hasEnded) return
    const exit = once(this.#process, "exit")
    this.#process.kill("SIGKILL")
    await exit
  }
}
