import '../style/colours.css'
import '../style/base.css'
import '../style/parts.css'
import '../reference/reference.css'
import { showReference } from '../reference/viewer.ts'

await showReference(document.getElementById('reference')!)
