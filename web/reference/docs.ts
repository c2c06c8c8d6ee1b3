import '../style/colors.css'
import '../style/base.css'
import '../style/parts.css'
import './reference.css'
import { serveFrame } from './channel.ts'

const late = document.getElementById('late')!
try {
  await showFrame()
} catch {
  late.remove()
  document.getElementById('reference')?.remove()
  dispatchEvent(new Event('pagelost'))
}

async function showFrame(): Promise<void> {
  const answer = await fetch('/openapi.json')
  const frame = document.createElement('iframe')
  frame.title = 'API reference'
  frame.id = 'reference'
  // No `allow-same-origin`: the viewer is not ours, and this origin has the refresh cookie.
  frame.sandbox.add('allow-scripts', 'allow-forms')
  frame.src = '/docs-viewer'
  const served = serveFrame(frame, (await answer.json()) as object)
  late.replaceWith(frame)
  await served
}
