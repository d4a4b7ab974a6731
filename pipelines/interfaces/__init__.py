"""Functions of files (load, call, save) and the Nipype interfaces made of them."""
