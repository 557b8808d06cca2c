//! Runs other people's code in namespaces, cgroups and a file system of its own.
