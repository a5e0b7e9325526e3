import { BaseSequencer, type TestSpecification } from "vitest/node"

/**
 * The files that take longest, in the order in which they start: a long file that starts last leaves all workers but one idle, and
 * their sizes, by which a fresh clone is sorted otherwise, do not show it. Those that compute stand between those that wait.
 */
const longest = [
  "core/test/model/Model",
  "transport-http/test/BackendKeepalive",
  "transport-http/test/LongLife",
  "transport-http/test/BackendReconnect",
  "core/test/keepalive/Cadence",
  "promise/test/Connect",
  "gateway/test/GivenUp",
  "transport-http/test/Streams",
  "gateway/test/sign-in/Processes",
  "gateway/test/LinearText",
  "gateway/test/Fuzz",
  "gateway/test/sign-in/Commands",
  "gateway/test/sign-in/Oidc",
  "gateway/test/sign-in/SignIn",
  "gateway/test/page/Page",
  "gateway/test/WrapFailuresHttp",
  "gateway/test/WrapFailuresStdio",
  "gateway/test/WrapFailuresSignIn",
  "gateway/test/WrapFailuresMachine",
  "gateway/test/WrapFailuresStateless",
  "gateway/test/EndedSessions",
  "gateway/test/Start",
  "transport-http/test/Resume",
  "promise/test/FirstConnection",
  "promise/test/Programs",
  "gateway/test/EndToEnd",
  "gateway/test/Commands",
  "gateway/test/Secrets",
  "gateway/test/Api",
  "transport-http/test/BackendCalls",
  "promise/test/Exit",
  "promise/test/Transport",
  "core/test/Reconnect",
  "core/test/GivenUp",
  "promise/test/GivenUp",
  "transport-http/test/Suspicion",
  "promise/test/ConnectAll",
  "promise/test/Parity",
  "gateway/test/Cli",
  "gateway/test/WrapInspector",
  "core/test/model/Fleet",
  "transport-http/test/Soak",
  "transport-http/test/Stateless",
  "transport-http/test/Everything",
  "examples/test/examples",
  "transport-stdio/test/close",
  "transport-stdio/test/host",
  "promise/test/OtherClients"
]

const rank = ({ moduleId }: TestSpecification): number => {
  const found = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
  return found === -1 ? longest.length : found
}

/** The long files first, the others as vitest sorts them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer is no array
    const usual = await super.sort(files)
    return usual.toSorted((a, b) => rank(a) - rank(b))
  }
}
