/** Everything that a subject sends has a mark of it, servers say the marks back, and a ledger looks at all that arrives. */
import { Effect } from "effect"
import * as fc from "fast-check"
import { chatty } from "../support/Talk.js"
import { HttpTalk, type Message, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const subjects = ["ann", "bob", "cat"] as const

/** What can be done. `own` is a server that each session has for itself. */
const deeds = ["call", "log", "subscribe", "change", "list", "hold", "cancel", "steal"] as const
const ownDeeds = ["own-call", "own-log", "own-ask"] as const
type Deed = (typeof deeds)[number] | (typeof ownDeeds)[number]
type Step = { readonly who: number; readonly session: number; readonly deed: Deed; readonly isLast: boolean }

const uri = "test://one"

class Party {
  readonly subject: string
  readonly number: number
  readonly talk: HttpTalk
  readonly #isStateless: boolean
  readonly held = new Map<string, { isOver: boolean; readonly ended: Promise<void> }>()
  isSubscribed = false
  #marks = 0

  constructor(url: string, subject: string, number: number, isStateless: boolean) {
    this.subject = subject
    this.number = number
    this.#isStateless = isStateless
    // All clients say the same of themselves, and number their requests in the same way.
    const answers = ({ params }: Message) => ({ action: "accept", content: { for: params.message } })
    this.talk = new HttpTalk(url, `${subject}-token`, { isStateless, ...(isStateless ? {} : { answers }) })
  }

  get name(): string {
    return `of-${this.subject}-${this.number}`
  }

  mark(): string {
    return `${this.name}-${++this.#marks}`
  }

  /** A call whose progress comes with its answer, and is its own. Tokens are the same for all. */
  async call(server: string): Promise<void> {
    const mark = this.mark()
    const progressToken = `token-${this.#marks}`
    const { answer, said } = await this.talk.ask("tools/call", {
      name: `${server}__progress`,
      arguments: { who: mark },
      _meta: { progressToken }
    })
    expect(answer?.result?.content).toEqual([{ type: "text", text: mark }])
    const progress = said.filter(({ method }) => method === "notifications/progress")
    expect(progress.map(({ params }) => [params.progressToken, params.message]))
      .toEqual([1, 2, 3].map(() => [progressToken, mark]))
  }

  async ask(): Promise<void> {
    const mark = this.mark()
    const params = { message: mark, requestedSchema: { type: "object", properties: {} } }
    const said = await this.talk.call("own__ask", { method: "elicitation/create", params })
    expect(JSON.parse(said)).toEqual({ action: "accept", content: { for: mark } })
  }

  hold(id: string): void {
    if (this.held.has(id)) return
    const held = { isOver: false, ended: Promise.resolve() }
    const ended = this.talk.ask("tools/call", { name: "shared__hang", arguments: { mark: this.mark() } }, id)
      .then(() => undefined, () => undefined).then(() => void (held.isOver = true))
    this.held.set(id, Object.assign(held, { ended }))
  }

  async cancel(id: string): Promise<void> {
    const held = this.held.get(id)
    this.held.delete(id)
    await this.talk.cancel(id)
    await held?.ended
  }

  async subscribe(): Promise<void> {
    if (this.isSubscribed) return
    this.isSubscribed = true
    if (this.#isStateless) await this.talk.listen([uri])
    else await this.talk.result("resources/subscribe", { uri })
  }

  strangers(): ReadonlyArray<string> {
    return this.talk.heard.flatMap((message) => {
      const text = JSON.stringify(message)
      const marks = [...text.matchAll(/of-(\w+)-(\d)-\d+/g)]
      const foreign = marks.filter(([, subject, number]) =>
        // What the server of ann alone logs is for all sessions of ann.
        subject !== this.subject || (number !== String(this.number) && !text.includes('"hers'))
      )
      const isUnasked = message.method === "notifications/resources/updated" && !this.isSubscribed
      return foreign.length > 0 || isUnasked ? [text] : []
    })
  }
}

const stepOf = (all: ReadonlyArray<Deed>) =>
  fc.record({
    who: fc.nat({ max: subjects.length - 1 }),
    session: fc.nat({ max: 1 }),
    deed: fc.constantFrom(...all),
    isLast: fc.boolean()
  })

const did = async (party: Party, others: ReadonlyArray<Party>, { deed, session }: Step, url: string): Promise<void> => {
  const { subject, talk } = party
  const acts: Readonly<Record<Deed, () => unknown>> = {
    call: () => party.call("shared"),
    "own-call": () => party.call("own"),
    "own-ask": () => party.ask(),
    "own-log": () => talk.call("own__log", { mark: party.mark() }),
    log: () => {
      const mark = party.mark()
      return subject === "ann"
        ? talk.call("hers__log", { mark })
        : talk.error("tools/call", { name: "hers__log", arguments: { mark } })
    },
    subscribe: () => party.subscribe(),
    change: () => talk.call("shared__change", { uri, mark: party.mark() }),
    list: async () => {
      expect((await talk.tools()).some((name) => name.startsWith("hers__"))).toBe(subject === "ann")
    },
    hold: () => party.hold(`held-${session}`),
    cancel: () => party.cancel(`held-${session}`),
    steal: async () => {
      // With its own token, and the session of somebody else.
      const victim = others.find((one) => one.subject !== subject && one.talk.session !== undefined)
      if (victim?.talk.session === undefined) return
      const thief = new HttpTalk(url, `${subject}-token`)
      thief.session = victim.talk.session
      const answers = await Promise.all([thief.ask("ping"), thief.ask("tools/list"), thief.ask("resources/list")])
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404])
    }
  }
  await acts[deed]()
}

describe.each([["with sessions", false], ["without", true]] as const)("subjects in the era %s", (_, isStateless) => {
  test.scopedLive(
    "[G22:real] who call, listen, log, are asked and give up all at once get nothing of each other",
    function*() {
      const servers = [chatty("shared"), chatty("hers"), chatty("own", { sessions: "per-client" })]
      const rules = { servers: { hide: ["hers"] } }
      const { url } = yield* team(servers, { ann: {}, bob: rules, cat: rules })
      // To start a process for each session takes long.
      const hasOwn = !isStateless
      const steps = fc.array(stepOf(hasOwn ? [...deeds, ...ownDeeds] : deeds), { minLength: 10, maxLength: 20 })

      const play = async (all: ReadonlyArray<Step>): Promise<void> => {
        const parties = subjects.map((subject) => [0, 1].map((number) => new Party(url, subject, number, isStateless)))
        const everyone = parties.flat()
        try {
          await Promise.all(everyone.map(({ talk }) => talk.begin()))
          if (!isStateless) await Promise.all(everyone.map(({ talk }) => talk.listen()))
          let open: Array<Promise<void>> = []
          for (const step of all) {
            open.push(did(parties[step.who]![step.session]!, everyone, step, url))
            if (!step.isLast) continue
            await Promise.all(open)
            open = []
          }
          await Promise.all(open)
          // What was said before has come to everybody when this has.
          const updates = everyone.filter(({ isSubscribed }) => isSubscribed).map(({ talk }) => {
            const before = talk.heard.filter(({ method }) => method === "notifications/resources/updated").length
            return talk.until("notifications/resources/updated", before + 1)
          })
          await parties[1]![0]!.talk.call("shared__change", { uri })
          await Promise.all(updates)
          await Promise.all(everyone.map((party) => party.call("shared")))
          expect(everyone.flatMap((party) => party.strangers().map((text) => `${party.name} got ${text}`))).toEqual([])
          // Nobody's call has ended because somebody else gave up one with the same id.
          expect(everyone.flatMap(({ held, name }) => [...held].map(([id, { isOver }]) => [name, id, isOver])))
            .toEqual(everyone.flatMap(({ held, name }) => [...held.keys()].map((id) => [name, id, false])))
          await Promise.all(everyone.flatMap((party) => [...party.held.keys()].map((id) => party.cancel(id))))
        } finally {
          for (const { talk } of everyone) talk.close()
        }
      }
      yield* Effect.promise(() => fc.assert(fc.asyncProperty(steps, play), { numRuns: 4, endOnFailure: true }))
    },
    400_000
  )
})
