import '../style/colours.css'
import '../style/base.css'
import '../style/parts.css'
import './reference.css'
import { showReference } from './viewer.ts'

const place = document.getElementById('reference')!
try {
  await showReference(place)
} catch {
  place.hidden = true
  dispatchEvent(new Event('pagelost'))
}
