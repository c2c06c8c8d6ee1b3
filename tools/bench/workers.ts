import type { BenchOptions } from './arguments.ts'
import { bundleOther, bundleOurs, readBundle } from './bundles.ts'
import { installPeer, peerEntry } from './peer.ts'
import type { MeasuredWorker } from './server.ts'

/** All Workers that a run needs, bundled. */
export async function bundleWorkers(
  { only, against, profile }: BenchOptions,
  outdir: string,
): Promise<MeasuredWorker[]> {
  const workers: MeasuredWorker[] = [
    // Names tell more than letters in a profile.
    { name: 'ours', script: await bundleOurs(outdir, { isMinified: profile === undefined }) },
    { name: 'bare', script: await bundleOther('test/bench/bare/worker.ts') },
    { name: 'empty', script: await bundleOther('test/bench/empty-worker.ts') },
    { name: 'plain', script: await bundleOther('test/bench/plain-worker.ts') },
  ]
  if (against !== undefined) workers.push({ name: 'against', script: readBundle(against) })
  if (only.includes('peer') && profile === undefined) {
    installPeer()
    const script = await bundleOther(peerEntry)
    workers.push({ name: 'peer', script, flags: ['nodejs_compat'], hasOwnDatabase: true })
  }
  return workers
}
