BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'tiny-mnist-cpu');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'plan','{"study": "tiny", "question": "Does it run?", "dataset": "mnist", "device": "cpu", "factors": {"pooling": ["cls", "mean"]}, "baseline": "cls", "cells": [{"name": "cls", "levels": {"pooling": "cls"}, "config": {"image_size": 28, "in_channels": 1, "num_classes": 10, "chunking": "horizontal", "patch_size": 14, "num_strips": null, "positional": "learned", "pooling": "cls", "num_registers": 0, "embed_dim": 8, "depth": 1, "num_heads": 1, "mlp_ratio": 2.0, "activation": "gelu", "qkv_bias": true, "out_proj": true, "final_norm": true, "dropout": 0.0, "attention_dropout": 0.0}, "recipe": {"epochs": 1, "batch_size": 1000, "optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.05, "beta2": 0.99, "schedule": "cosine", "warmup": 0.1, "label_smoothing": 0.0, "max_translation": 0, "normalize": true, "attention": "auto", "dtype": "auto", "compile": "auto", "replica": 0}, "dataset": "mnist", "reason": null}, {"name": "mean", "levels": {"pooling": "mean"}, "config": {"image_size": 28, "in_channels": 1, "num_classes": 10, "chunking": "horizontal", "patch_size": 14, "num_strips": null, "positional": "learned", "pooling": "mean", "num_registers": 0, "embed_dim": 8, "depth": 1, "num_heads": 1, "mlp_ratio": 2.0, "activation": "gelu", "qkv_bias": true, "out_proj": true, "final_norm": true, "dropout": 0.0, "attention_dropout": 0.0}, "recipe": {"epochs": 1, "batch_size": 1000, "optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.05, "beta2": 0.99, "schedule": "cosine", "warmup": 0.1, "label_smoothing": 0.0, "max_translation": 0, "normalize": true, "attention": "auto", "dtype": "auto", "compile": "auto", "replica": 0}, "dataset": "mnist", "reason": null}], "seeds": [0, 1]}');
INSERT INTO "study_user_attributes" VALUES(2,1,'provenance','{"command": "vit-ablate run tiny", "workers": 2, "machine": {"cpu": "Abacus 1"}}');
INSERT INTO "study_user_attributes" VALUES(3,1,'measurement','{"2b1401212c800d1a": {"train_images_per_second": 1000.0, "infer_images_per_second": 1000.0, "train_images_per_second_iqr": 10.0, "infer_images_per_second_iqr": 10.0, "gpu_memory_mib": null, "gpu_reserved_mib": null, "gpu_memory_source": "unavailable: no GPU", "params": 100, "flops": 2000000.0}, "40e9be2198a7ca88": {"train_images_per_second": 2000.0, "infer_images_per_second": 2000.0, "train_images_per_second_iqr": 10.0, "infer_images_per_second_iqr": 10.0, "gpu_memory_mib": null, "gpu_reserved_mib": null, "gpu_memory_source": "unavailable: no GPU", "params": 200, "flops": 2000000.0}}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'hash','"0152a5a7f7b7de16"');
INSERT INTO "trial_user_attributes" VALUES(2,1,'cell_hash','"2b1401212c800d1a"');
INSERT INTO "trial_user_attributes" VALUES(3,1,'cell','"cls"');
INSERT INTO "trial_user_attributes" VALUES(4,1,'seed','0');
INSERT INTO "trial_user_attributes" VALUES(5,1,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(6,1,'level:pooling','"cls"');
INSERT INTO "trial_user_attributes" VALUES(7,2,'hash','"38416d28e5de90c2"');
INSERT INTO "trial_user_attributes" VALUES(8,2,'cell_hash','"40e9be2198a7ca88"');
INSERT INTO "trial_user_attributes" VALUES(9,2,'cell','"mean"');
INSERT INTO "trial_user_attributes" VALUES(10,2,'seed','0');
INSERT INTO "trial_user_attributes" VALUES(11,2,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(12,2,'level:pooling','"mean"');
INSERT INTO "trial_user_attributes" VALUES(13,3,'hash','"71cf22cc85d1f6d6"');
INSERT INTO "trial_user_attributes" VALUES(14,3,'cell_hash','"2b1401212c800d1a"');
INSERT INTO "trial_user_attributes" VALUES(15,3,'cell','"cls"');
INSERT INTO "trial_user_attributes" VALUES(16,3,'seed','1');
INSERT INTO "trial_user_attributes" VALUES(17,3,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(18,3,'level:pooling','"cls"');
INSERT INTO "trial_user_attributes" VALUES(19,4,'hash','"3b29b500d38d6f92"');
INSERT INTO "trial_user_attributes" VALUES(20,4,'cell_hash','"40e9be2198a7ca88"');
INSERT INTO "trial_user_attributes" VALUES(21,4,'cell','"mean"');
INSERT INTO "trial_user_attributes" VALUES(22,4,'seed','1');
INSERT INTO "trial_user_attributes" VALUES(23,4,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(24,4,'level:pooling','"mean"');
INSERT INTO "trial_user_attributes" VALUES(25,1,'record','{"image_size": 28, "in_channels": 1, "num_classes": 10, "chunking": "horizontal", "patch_size": 14, "num_strips": null, "positional": "learned", "pooling": "cls", "num_registers": 0, "embed_dim": 8, "depth": 1, "num_heads": 1, "mlp_ratio": 2.0, "activation": "gelu", "qkv_bias": true, "out_proj": true, "final_norm": true, "dropout": 0.0, "attention_dropout": 0.0, "epochs": 1, "batch_size": 1000, "optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.05, "beta2": 0.99, "schedule": "cosine", "warmup": 0.1, "label_smoothing": 0.0, "max_translation": 0, "normalize": true, "attention": "explicit", "dtype": "float32", "compile": false, "replica": 0, "seed": 0, "num_tokens": 3, "device": "cpu", "packed": 1, "threads": 1, "torch": "2.13.0+cpu", "python": "3.11.7", "vit_ablate": "0.1.0", "commit": "e6bd3b3688fa", "dirty": false, "started_at": "2026-11-25T04:33:28+00:00", "val_accuracy": 0.8899999761581421, "test_accuracy": 0.8999999761581421, "val_loss": 0.2, "test_loss": 0.1, "train_loss": 0.3, "train_seconds": 1.5, "wall_seconds": 2.0, "curve": [{"epoch": 1, "val_loss": 1.0, "val_accuracy": 0.8999999761581421}, {"epoch": 2, "val_loss": 0.5, "val_accuracy": 0.8999999761581421}], "test_correct": "1000:c-s5_pT6J&0}=oLSO;){"}');
INSERT INTO "trial_user_attributes" VALUES(26,2,'record','{"image_size": 28, "in_channels": 1, "num_classes": 10, "chunking": "horizontal", "patch_size": 14, "num_strips": null, "positional": "learned", "pooling": "mean", "num_registers": 0, "embed_dim": 8, "depth": 1, "num_heads": 1, "mlp_ratio": 2.0, "activation": "gelu", "qkv_bias": true, "out_proj": true, "final_norm": true, "dropout": 0.0, "attention_dropout": 0.0, "epochs": 1, "batch_size": 1000, "optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.05, "beta2": 0.99, "schedule": "cosine", "warmup": 0.1, "label_smoothing": 0.0, "max_translation": 0, "normalize": true, "attention": "explicit", "dtype": "float32", "compile": false, "replica": 0, "seed": 0, "num_tokens": 2, "device": "cpu", "packed": 1, "threads": 1, "torch": "2.13.0+cpu", "python": "3.11.7", "vit_ablate": "0.1.0", "commit": "e6bd3b3688fa", "dirty": false, "started_at": "2026-11-25T04:33:28+00:00"}');
INSERT INTO "trial_user_attributes" VALUES(27,2,'reason','"DivergedError: training loss is nan"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,8.89999976158142080961e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-25 04:33:28.560733','2026-11-25 04:33:28.773453');
INSERT INTO "trials" VALUES(2,1,1,'FAIL','2026-11-25 04:33:28.596093','2026-11-25 04:33:28.884036');
INSERT INTO "trials" VALUES(3,2,1,'RUNNING','2026-11-25 04:33:28.637180',NULL);
INSERT INTO "trials" VALUES(4,3,1,'WAITING',NULL,NULL);
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
