"""What the interpreter is started with: a few lines, as a script is compiled each time anew."""

import fogbank_runtime

fogbank_runtime.main()
