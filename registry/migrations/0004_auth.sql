-- Users, roles and permissions of the basic-auth app. Grants hang on roles; what is granted to one user hangs on a role of its own,
-- named __user_<uid>__.

CREATE TABLE users (
	uid INTEGER PRIMARY KEY,
	username TEXT NOT NULL UNIQUE,
	password_hash TEXT NOT NULL,
	is_admin INTEGER NOT NULL DEFAULT 0,
	s3_secret BLOB -- encrypted; S3's signatures need it in clear
);

CREATE TABLE roles (
	role_id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	workspace TEXT NOT NULL,
	description TEXT,
	uid INTEGER REFERENCES users ON DELETE CASCADE, -- of the role of one user
	UNIQUE (workspace, name)
);
CREATE INDEX roles_by_user ON roles (uid);

CREATE TABLE role_permissions (
	pid INTEGER PRIMARY KEY,
	role_id INTEGER NOT NULL REFERENCES roles ON DELETE CASCADE,
	resource_type TEXT NOT NULL,
	resource_pattern TEXT NOT NULL, -- an id or name, or * for all
	permission TEXT NOT NULL,
	UNIQUE (role_id, resource_type, resource_pattern)
);
CREATE INDEX role_permissions_by_resource ON role_permissions (resource_type, resource_pattern);

CREATE TABLE user_roles (
	aid INTEGER PRIMARY KEY,
	uid INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
	role_id INTEGER NOT NULL REFERENCES roles ON DELETE CASCADE,
	UNIQUE (uid, role_id)
);
CREATE INDEX user_roles_by_role ON user_roles (role_id);
