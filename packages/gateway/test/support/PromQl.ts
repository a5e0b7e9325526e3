/** Evaluates alerting rules of Prometheus over scrapes. Prometheus' own grammar parses them, and what is not evaluated here throws. */
import { parser } from "@prometheus-io/lezer-promql"

type Labels = Readonly<Record<string, string>>
type Node = ReturnType<typeof parser.parse>["topNode"]

export type Sample = { readonly labels: Labels; readonly value: number }

export interface Scrape {
  /** In milliseconds. */
  readonly at: number
  readonly series: ReadonlyArray<Sample & { readonly name: string }>
}

export type Rule = { readonly alert: string; readonly expr: string; readonly for?: string }

export const scrape = (at: number, text: string): Scrape => ({
  at,
  series: text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    return name === undefined ? [] : [{
      name,
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])
      ),
      value: Number(value)
    }]
  })
})

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const millis = (duration: string): number => {
  const [, count, unit = ""] = /^(\d+)([smhd])$/.exec(duration) ?? []
  if (count === undefined) throw new Error(`no duration: ${duration}`)
  return Number(count) * (units[unit] ?? Number.NaN)
}

class Evaluation {
  readonly expr: string
  readonly scrapes: ReadonlyArray<Scrape>
  readonly at: number

  constructor(expr: string, scrapes: ReadonlyArray<Scrape>, at: number) {
    this.expr = expr
    this.scrapes = scrapes
    this.at = at
  }

  vector(node: Node | null | undefined): ReadonlyArray<Sample> {
    switch (node?.name) {
      case "VectorSelector": {
        const last = this.scrapes.findLast(({ at }) => at <= this.at)
        return last === undefined ? [] : this.#selected(node, last)
      }
      case "FunctionCall": {
        if (this.#text(node.firstChild) !== "increase") throw this.#unknown(node)
        return this.#increase(node.getChild("FunctionCallBody")?.firstChild)
      }
      case "AggregateExpr":
        return this.#sum(node)
      case "BinaryExpr": {
        const limit = Number(this.#text(node.lastChild))
        const operator = this.#text(node.firstChild?.nextSibling)
        if (Number.isNaN(limit) || (operator !== ">" && operator !== "<")) throw this.#unknown(node)
        return this.vector(node.firstChild).filter(({ value }) => operator === ">" ? value > limit : value < limit)
      }
      default:
        throw this.#unknown(node)
    }
  }

  /** Of each series, what it has grown within a time. Without Prometheus' extrapolation to the ends of that time, which only adds to it. */
  #increase(node: Node | null | undefined): ReadonlyArray<Sample> {
    const selector = node?.getChild("VectorSelector")
    if (node?.name !== "MatrixSelector" || !selector) throw this.#unknown(node)
    const since = this.at - millis(this.#text(node.lastChild))
    const values = new Map<string, { readonly labels: Labels; readonly values: Array<number> }>()
    for (const scrape of this.scrapes.filter(({ at }) => at > since && at <= this.at)) {
      for (const { labels, value } of this.#selected(selector, scrape)) {
        const key = JSON.stringify(labels)
        const known = values.get(key) ?? { labels, values: [] }
        known.values.push(value)
        values.set(key, known)
      }
    }
    return [...values.values()].filter(({ values }) => values.length > 1).map(({ labels, values }) => ({
      labels,
      // After a restart, a counter begins with 0.
      value: values.slice(1).reduce((sum, value, last) => sum + value - (value < values[last]! ? 0 : values[last]!), 0)
    }))
  }

  #sum(node: Node): ReadonlyArray<Sample> {
    const modifier = node.getChild("AggregateModifier")
    if (this.#text(node.firstChild) !== "sum" || !modifier?.getChild("By")) throw this.#unknown(node)
    const names = modifier.getChild("GroupingLabels")?.getChildren("LabelName").map((one) => this.#text(one)) ?? []
    const sums = new Map<string, { readonly labels: Labels; readonly value: number }>()
    for (const { labels: all, value } of this.vector(node.getChild("FunctionCallBody")?.firstChild)) {
      const labels = Object.fromEntries(names.flatMap((name) => all[name] === undefined ? [] : [[name, all[name]]]))
      const key = JSON.stringify(labels)
      sums.set(key, { labels, value: value + (sums.get(key)?.value ?? 0) })
    }
    return [...sums.values()]
  }

  #selected(node: Node, { series }: Scrape): ReadonlyArray<Sample> {
    const name = this.#text(node.getChild("Identifier"))
    const matchers = node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher").map((matcher) => {
      const value = JSON.parse(this.#text(matcher.getChild("StringLiteral"))) as string
      const operator = this.#text(matcher.getChild("MatchOp"))
      const pattern = new RegExp(`^(?:${value})$`)
      const matches = (text: string) => operator.endsWith("~") ? pattern.test(text) : text === value
      return (labels: Labels) =>
        matches(labels[this.#text(matcher.getChild("LabelName"))] ?? "") !== operator.startsWith("!")
    }) ?? []
    return series.filter((one) => one.name === name && matchers.every((matches) => matches(one.labels)))
  }

  #text(node: Node | null | undefined): string {
    if (!node) throw this.#unknown(node)
    return this.expr.slice(node.from, node.to)
  }

  #unknown(node: Node | null | undefined): Error {
    return new Error(
      `${node ? `${node.name} ${this.expr.slice(node.from, node.to)}` : "nothing"} in ${this.expr} is not evaluated`
    )
  }
}

export const evaluate = (expr: string, scrapes: ReadonlyArray<Scrape>): ReadonlyArray<Sample> => {
  const { topNode } = parser.parse(expr)
  topNode.cursor().iterate((node) => {
    if (node.type.isError) throw new Error(`${expr} is not PromQL: see ${expr.slice(node.from)}`)
  })
  return new Evaluation(expr, scrapes, scrapes.at(-1)?.at ?? 0).vector(topNode.firstChild)
}

/** The labels of the alerts of a rule that fire at the time of the last scrape. A rule is evaluated at each scrape. */
export const firing = ({ expr, for: time = "0s" }: Rule, scrapes: ReadonlyArray<Scrape>): ReadonlyArray<Labels> => {
  const now = scrapes.at(-1)?.at ?? 0
  const active = scrapes.map(({ at }, last) => ({
    at,
    keys: new Set(evaluate(expr, scrapes.slice(0, last + 1)).map(({ labels }) => JSON.stringify(labels)))
  }))
  return evaluate(expr, scrapes).map(({ labels }) => labels).filter((labels) => {
    const key = JSON.stringify(labels)
    const quiet = active.findLastIndex(({ keys }) => !keys.has(key))
    return now - (active[quiet + 1]?.at ?? now) >= millis(time)
  })
}
