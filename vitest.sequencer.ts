import { BaseSequencer, type TestSpecification } from "vitest/node"

/**
 * The files that take longest, in the order in which they start: a long file that starts last leaves all workers but one idle, and
 * their sizes, by which a fresh clone is sorted otherwise, do not show it. Those that compute stand between those that wait.
 */
const longest = [
  "transport-http/test/LongLife",
  "gateway/test/Proxies",
  "gateway/test/ClusterKeyChange",
  "gateway/test/ClusterCallers",
  "gateway/test/access/Program",
  "gateway/test/Fuzz",
  "gateway/test/deploy/Container",
  "transport-http/test/BackendKeepalive",
  "gateway/test/audit/Audit",
  "gateway/test/audit/Callers",
  "gateway/test/audit/Wrap",
  "gateway/test/sign-in/Commands",
  "cluster/test/model/Lease",
  "gateway/test/Secrets",
  "gateway/test/soak/Soak",
  "gateway/test/Tasks",
  "core/test/Queue",
  "gateway/test/auth/OAuthClients",
  "gateway/test/WrapFailuresHttp",
  "sign-in/test/Processes",
  "core/test/pool/Model",
  "promise/test/Connect",
  "promise/test/FirstConnection",
  "transport-http/test/Soak",
  "core/test/keepalive/Cadence",
  "gateway/test/GivenUp",
  "gateway/test/LinearFunctions",
  "gateway/test/EndedSessions",
  "gateway/test/SecretCommands",
  "promise/test/Transport",
  "gateway/test/WrapUrl",
  "gateway/test/page/Page",
  "gateway/test/PinDoors",
  "transport-http/test/BackendCalls",
  "sign-in/test/Oidc",
  "core/test/Reconnect",
  "gateway/test/EndToEnd",
  "transport-stdio/test/keepalive",
  "transport-stdio/test/container",
  "gateway/test/LeftBehind",
  "cluster/test/Watchdog",
  "gateway/test/adopt/Adopt",
  "gateway/test/access/Tasks",
  "gateway/test/access/OwnServers",
  "gateway/test/Crowd",
  "gateway/test/Commands",
  "gateway/test/Join",
  "promise/test/Programs",
  "transport-http/test/Resume",
  "transport-http/test/Streams",
  "promise/test/ConnectAll",
  "gateway/test/WrapHttpEras",
  "transport-http/test/BackendReconnect",
  "gateway/test/Doors",
  "promise/test/Replicas",
  "transport-http/test/Listen",
  "gateway/test/WrapEras",
  "promise/test/Parity",
  "promise/test/Exit",
  "promise/test/Clients",
  "transport-stdio/test/host",
  "gateway/test/LinearText",
  "gateway/test/http/ChangedSecrets",
  "gateway/test/http/Restart",
  "gateway/test/DemoCluster",
  "gateway/test/ClusterBundle",
  "gateway/test/Wrap",
  "gateway/test/WrapMore",
  "transport-http/test/Stateless",
  "gateway/test/WrapInspector",
  "gateway/test/WrapHttpToken",
  "transport-http/test/Everything",
  "gateway/test/WrapFailuresStdio",
  "promise/test/GivenUp",
  "promise/test/SignIn",
  "gateway/test/sign-in/KeepSignedIn",
  "gateway/test/WrapFailuresSignIn",
  "gateway/test/RealClients",
  "gateway/test/Outlived",
  "core/test/model/Model",
  "transport-stdio/test/spawn",
  "core/test/Closes",
  "sign-in/test/Logins",
  "gateway/test/Start",
  "gateway/test/WrapMessages",
  "transport-http/test/Bounds",
  "core/test/Log",
  "transport-stdio/test/era",
  "core/test/GivenUp",
  "gateway/test/Reload",
  "core/test/Deadlines",
  "examples/test/examples"
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
