import { describe, expect, it } from "vitest"
import { endpointOf, isEnabled, problem } from "../../src/serve/otlpEndpoint.js"

const base = "OTEL_EXPORTER_OTLP_ENDPOINT"
const ofLogs = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
const all = (env: NodeJS.ProcessEnv) => (["traces", "metrics", "logs"] as const).map((one) => endpointOf(one, env))
const none = [undefined, undefined, undefined]
const at = (url: string): Array<string | undefined> =>
  ["traces", "metrics", "logs"].map((signal) => `${url}/v1/${signal}`)

describe("where telemetry is sent", () => {
  it.each<[string, NodeJS.ProcessEnv, ReadonlyArray<string | undefined>]>([
    ["nothing", {}, none],
    ["an empty address", { [base]: "" }, none],
    ["an address for all", { [base]: "http://h:4318" }, at("http://h:4318")],
    ["one with slashes at its end", { [base]: "http://h:4318/x//" }, at("http://h:4318/x")],
    ["one for traces", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t/x/" }, ["http://t/x/", undefined, undefined]],
    ["one of its own for logs", { [base]: "http://h", [ofLogs]: "http://l" }, [
      ...at("http://h").slice(0, 2),
      "http://l"
    ]],
    ["one that is empty for logs", { [base]: "http://h", [ofLogs]: "" }, at("http://h")],
    ["no metrics", { [base]: "http://h", OTEL_METRICS_EXPORTER: "none" }, at("http://h").with(1, undefined)],
    ["metrics as usual", { [base]: "http://h", OTEL_METRICS_EXPORTER: "otlp" }, at("http://h")],
    ["none at all", { [base]: "http://h", OTEL_SDK_DISABLED: "TRUE" }, none],
    ["all of it", { [base]: "http://h", OTEL_SDK_DISABLED: "false" }, at("http://h")]
  ])("[O1:unit] with %s", (_, env, expected) => {
    expect(all(env)).toEqual(expected)
    expect(isEnabled(env)).toBe(expected.some((one) => one !== undefined))
    expect(problem(env)).toBeUndefined()
  })

  it("[O1 F3:unit] is refused where it is no address, or a protocol that is not spoken", () => {
    for (const bad of ["h:4318", "grpc://h", "at http://h", "http://h:port"]) {
      expect(problem({ [base]: bad })).toContain("is not an address")
      expect(problem({ [base]: "http://h", [ofLogs]: bad })).toContain("is not an address")
      expect(problem({ [base]: bad, OTEL_SDK_DISABLED: "true" })).toBeUndefined()
    }
    expect(problem({ [base]: "HTTPS://h" })).toBeUndefined()
    expect(problem({ [base]: "http://h", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })).toContain("is not supported")
    expect(problem({ [base]: "http://h", OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" })).toBeUndefined()
  })
})
