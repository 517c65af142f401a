// Package volume keeps directories that outlive the containers that use them, and reads
// the flags by which a container is given one, a directory of the host or a tmpfs.
//
//	store, err := volume.Open("/var/lib/mini/volumes")
//	m, err := volume.Parse("data:/srv:ro")              // -v
//	path, err := store.Use(m.Source, containerID)       // made if need be
//	err = store.Fill(m.Source, containerID, root, m.Target)
//	mount := m.OCI(path)                                // for config.json
//	err = store.Release(containerID)
//
// A volume is a directory:
//
//	NAME/volume.json   what is known of it
//	NAME/_data/        what it holds
//	NAME/users/ID      an empty file for each container that has it
//
// It appears and goes by rename(2), so that it is there wholly or not at all whatever
// ends a command.
package volume
