"""One file per idea; each is a list of literals. The file's name is the stable code of its reasons."""
