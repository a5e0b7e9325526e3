import { describe, expect, it } from "@effect/vitest"
import * as Cli from "../../src/Cli.js"
import { listOf, only, stages, textOf, variablesOf } from "../support/Image.js"
import * as Manifests from "../support/Manifests.js"

const image = stages().at(-1)!
const manifestsOf = (name: string) => Manifests.parse(Manifests.text(name))

const workloadOf = (name: string) => {
  const workload = manifestsOf(name).find(({ kind }) => kind === "Deployment" || kind === "StatefulSet")!
  const pod = workload["spec"].template.spec
  return { workload, pod, container: pod.containers[0] }
}

describe.each(Manifests.names)("deploy/kubernetes/%s", (name) => {
  it("[G26] fits the published schemas, which know each of its keys", () => {
    const problems = manifestsOf(name).flatMap((one) =>
      Manifests.problemsOf(one).map((problem) => `${one.kind} ${problem}`)
    )
    expect(problems).toEqual([])
  })

  it("[G26] gives the gateway no more rights than it needs", () => {
    const { container, pod } = workloadOf(name)
    const [user, group] = only(image, "USER").getArgumentsContent()!.split(":").map(Number)
    const ids = { runAsNonRoot: true, runAsUser: user, runAsGroup: group, fsGroup: group }
    expect(pod.securityContext).toMatchObject({ ...ids, seccompProfile: { type: "RuntimeDefault" } })
    const fixed = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true }
    expect(container.securityContext).toEqual({ ...fixed, capabilities: { drop: ["ALL"] } })
    expect(pod.automountServiceAccountToken).toBe(false)
    const writable = container.volumeMounts.filter((one: { readonly readOnly?: boolean }) => one.readOnly !== true)
    expect(writable.map((one: { readonly mountPath: string }) => one.mountPath)).toEqual(["/state", "/tmp"])
    const folders = ["/state", "/state/lifeline"]
    expect(Object.values(variablesOf(image)).filter((value) => value.startsWith("/"))).toEqual(folders)
  })

  it("[G26] has a command line of the gateway, whose files are mounted and whose ports have names", () => {
    const { container, pod, workload } = workloadOf(name)
    const args: ReadonlyArray<string> = container.args.map((one: string) => one.replace("$(POD_IP)", "10.0.0.1"))
    expect(Cli.read([...args], {})._tag).toBe("Serve")
    const files = args.flatMap((one) => /=(\/.+)$/.exec(one)?.[1] ?? [])
    const places: ReadonlyArray<string> = container.volumeMounts.map((one: any) => one.mountPath)
    for (const file of files) expect(places).toContain(file.slice(0, file.lastIndexOf("/")))
    const claims = workload["spec"].volumeClaimTemplates ?? []
    const volumes = [...pod.volumes, ...claims.map(({ metadata }: any) => metadata)].map((one) => one.name)
    expect(volumes.toSorted()).toEqual(container.volumeMounts.map((one: any) => one.name).toSorted())
    const ports = container.ports.map((one: any) => one.name)
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
      expect(ports).toContain(container[probe].httpGet.port)
    }
    expect(listOf(only(image, "ENTRYPOINT"))).toEqual(["tini", "--", "mcp-lifeline"])
  })

  it("[G26] leaves a stop the time that it may take, and its Service and budget find the Pods", () => {
    const { container, pod, workload } = workloadOf(name)
    const notice = Number(container.lifecycle.preStop.exec.command[1])
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(notice + 30)
    const { labels } = workload["spec"].template.metadata
    expect(workload["spec"].selector.matchLabels).toEqual(labels)
    const others = manifestsOf(name)
    const service = others.find(({ kind }) => kind === "Service")!
    const budget = others.find(({ kind }) => kind === "PodDisruptionBudget")!
    expect(service["spec"].selector).toEqual(labels)
    expect(budget["spec"].selector.matchLabels).toEqual(labels)
    expect(container.ports.map((one: any) => one.name)).toContain(service["spec"].ports[0].targetPort)
  })

  it("[G26] names only Secrets' keys that the command in its first lines makes", () => {
    const { container } = workloadOf(name)
    const read = container.args.flatMap((one: string) => /=\/secrets\/(.+)$/.exec(one)?.[1] ?? [])
    const made = [...Manifests.text(name).matchAll(/--from-literal=([\w-]+)=/g)].map(([, key]) => key)
    expect(made.toSorted()).toEqual(read.toSorted())
  })
})

describe("what a published schema does not know, or does not allow", () => {
  const [, deployment] = manifestsOf("cluster.yaml")
  const changed = (change: (copy: any) => void) => {
    const copy = structuredClone(deployment!)
    change(copy)
    return Manifests.problemsOf(copy)
  }

  it("[G26] is a problem", () => {
    const container = "/spec/template/spec/containers/0"
    const unknown = [`${container}/readynessProbe is unknown`]
    expect(changed(({ spec }) => void (spec.template.spec.containers[0].readynessProbe = {}))).toEqual(unknown)
    const ofPath = changed(({ spec }) => void (spec.template.spec.containers[0].livenessProbe.httpGet.path = 1))
    expect(ofPath).toEqual([expect.stringContaining(`${container}/livenessProbe/httpGet/path`)])
    expect(changed(({ spec }) => void delete spec.selector)).toEqual([expect.stringContaining("/spec")])
  })
})

describe("pages", () => {
  it.each(["docs/tasks/kubernetes.md", "docs/tasks/many-gateways.md"])(
    "[G26] %s shows nothing that the manifests do not have",
    (page) => {
      const shown = [...textOf(page).matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = ""]) => block)
      const indented = (text: string) => text.split("\n").map((line) => line.trim()).join("\n").trim()
      const kept = Manifests.names.map((name) => indented(Manifests.text(name)))
      expect(shown.filter((block) => !kept.some((one) => one.includes(indented(block))))).toEqual([])
    }
  )
})
