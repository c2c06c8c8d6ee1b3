/** The versions of the Worker at Cloudflare: each deployment and each change of a secret makes one. */
import { Stop } from '../command.ts'
import { type Wrangler, run } from '../wrangler.ts'
import { firstJson } from './login.ts'

export interface Version {
  id: string
  isSecretChange: boolean
}

export interface Versions {
  /** Oldest first. */
  versions: Version[]
  /** The one that takes all requests now. */
  deployed: string | undefined
  /** The one that was deployed before it. */
  before: string | undefined
}

interface ListedVersion {
  id: string
  number: number
  annotations?: Record<string, string>
}

interface ListedDeployment {
  created_on: string
  versions: { version_id: string; percentage: number }[]
}

/** Without a deployment, or when several versions share the requests, none is the deployed one. */
export async function readVersions(wrangler: Wrangler): Promise<Versions> {
  const listed = await readList<ListedVersion>(wrangler, ['versions', 'list', '--json'])
  const versions = listed
    .toSorted((a, b) => a.number - b.number)
    .map(({ id, annotations }) => ({ id, isSecretChange: annotations?.['workers/triggered_by'] === 'secret' }))
  const deployments = (await readList<ListedDeployment>(wrangler, ['deployments', 'list', '--json'])).toSorted(
    (a, b) => Date.parse(b.created_on) - Date.parse(a.created_on),
  )
  const whole = deployments.map((each) => each.versions.find(({ percentage }) => percentage === 100)?.version_id)
  const [deployed] = whole
  return { versions, deployed, before: whole.find((id) => id !== undefined && id !== deployed) }
}

/**
 * Cloudflare refuses to change a secret while another version than the newest is deployed, which a rollback leaves.
 *
 * @throws {Stop} with the step before.
 */
export async function requireNewestDeployed(wrangler: Wrangler): Promise<void> {
  const { versions, deployed } = await readVersions(wrangler)
  if (deployed !== undefined && versions.at(-1)?.id !== deployed) throw new Stop(newestIsNotDeployed)
}

export const newestIsNotDeployed =
  'The newest version of the Worker is not the deployed one, as after a rollback, and Cloudflare refuses to change its secrets then (10214). First check out the code that is deployed and run `npm run deploy`.'

/** The names of the secrets that a version was made with. */
export async function secretsOf(wrangler: Wrangler, id: string): Promise<string[]> {
  const view = firstJson(await run(wrangler, ['versions', 'view', id, '--json'])) as
    | { resources?: { bindings?: { name: string; type: string }[] } }
    | undefined
  return (view?.resources?.bindings ?? []).flatMap(({ name, type }) => (type === 'secret_text' ? [name] : []))
}

async function readList<T>(wrangler: Wrangler, args: string[]): Promise<T[]> {
  const list = firstJson(await run(wrangler, args))
  if (!Array.isArray(list)) throw new Stop(`\`wrangler ${args.join(' ')}\` gave no list.`)
  return list as T[]
}
