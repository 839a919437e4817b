BEGIN TRANSACTION;
CREATE TABLE ledger_charges (
	product VARCHAR(64) NOT NULL, 
	period VARCHAR(10) NOT NULL, 
	revision INTEGER NOT NULL, 
	pool VARCHAR(64) NOT NULL, 
	privacy_month VARCHAR(7) NOT NULL, 
	micro_rho INTEGER NOT NULL, 
	PRIMARY KEY (product, period, revision, pool, privacy_month), 
	CHECK (micro_rho > 0)
);
INSERT INTO "ledger_charges" VALUES('od_trips','2026-W10',1,'routine','2026-03',23000);
INSERT INTO "ledger_charges" VALUES('od_trips','2026-W11',1,'routine','2026-03',23000);
INSERT INTO "ledger_charges" VALUES('displacement','2026-03-10',1,'emergency','2026-02',40);
INSERT INTO "ledger_charges" VALUES('displacement','2026-03-10',1,'emergency','2026-03',20);
CREATE TABLE ledger_entries (
	position INTEGER NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	product VARCHAR(64) NOT NULL, 
	period VARCHAR(10) NOT NULL, 
	revision INTEGER NOT NULL, 
	at VARCHAR(20) NOT NULL, 
	body TEXT NOT NULL, 
	prev_hash VARCHAR(64) NOT NULL, 
	entry_hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (position), 
	UNIQUE (prev_hash), 
	UNIQUE (entry_hash)
);
INSERT INTO "ledger_entries" VALUES(1,'RESERVE','od_trips','2026-W10',1,'2026-03-09T06:00:00Z','{"charges":[{"micro_rho":23000,"pool":"routine","privacy_month":"2026-03"}],"parameters":{}}','0000000000000000000000000000000000000000000000000000000000000000','1e9eabd23eedc16a4e10a1936759edae233a2a150f84d4850b6a36e5e5370cc4');
INSERT INTO "ledger_entries" VALUES(2,'SEAL','od_trips','2026-W10',1,'2026-03-09T06:00:00Z','{"artefact_sha256":"50f7becde477bb509c7704de62c349247fb3499c03a95e4bce20151cd552dea5","inputs_commitment":"173b6c82747f7e7f762af1d2f5aba227a72c1b45f45e43705b738c64c2ed2540"}','1e9eabd23eedc16a4e10a1936759edae233a2a150f84d4850b6a36e5e5370cc4','a21add36854097642dc835c15b40524385557c2677e9538b97c0e2af7c71f1e8');
INSERT INTO "ledger_entries" VALUES(3,'APPROVE','od_trips','2026-W10',1,'2026-03-09T06:00:00Z','{"signature":"00ff","signer":"officer","statement":{"artefact_sha256":"50f7becde477bb509c7704de62c349247fb3499c03a95e4bce20151cd552dea5"}}','a21add36854097642dc835c15b40524385557c2677e9538b97c0e2af7c71f1e8','eb28749e11cc230dc9ee077115509abca9363cb8207dfb3b195be44db14b2bec');
INSERT INTO "ledger_entries" VALUES(4,'PUBLISH','od_trips','2026-W10',1,'2026-03-09T06:00:00Z','{"bundle_sha256":"1e6ed65d77d6364eeaed5a745ba5c4985ae2b700dd85d7cf7f027bdf294a33fc"}','eb28749e11cc230dc9ee077115509abca9363cb8207dfb3b195be44db14b2bec','cbe41a6d2a4b4eb387d5edc6944c399529e6ad79052da8b037e8efa075c06322');
INSERT INTO "ledger_entries" VALUES(5,'RESERVE','od_trips','2026-W11',1,'2026-03-09T06:00:00Z','{"charges":[{"micro_rho":23000,"pool":"routine","privacy_month":"2026-03"}],"parameters":{}}','cbe41a6d2a4b4eb387d5edc6944c399529e6ad79052da8b037e8efa075c06322','a011bbab3ce499f769965f8f861048ba66953a5e3864bc9cde35d0f6460eda2f');
INSERT INTO "ledger_entries" VALUES(6,'SEAL','od_trips','2026-W11',1,'2026-03-09T06:00:00Z','{"artefact_sha256":"50f7becde477bb509c7704de62c349247fb3499c03a95e4bce20151cd552dea5","inputs_commitment":"987126b70f15723de7efad2c5c144bc797dde94988ad4171feb309a0f4cb8a80"}','a011bbab3ce499f769965f8f861048ba66953a5e3864bc9cde35d0f6460eda2f','dfca5c155183f0d65570b4b1f26607fdaa2aeaab19cf06d4f897b56b2a159144');
INSERT INTO "ledger_entries" VALUES(7,'BURN','od_trips','2026-W11',1,'2026-03-09T06:00:00Z','{}','dfca5c155183f0d65570b4b1f26607fdaa2aeaab19cf06d4f897b56b2a159144','b4a665066cca7e9c55da2872f88f5dc2145b0fc5e1a21102b85f0e3c6ed64f35');
INSERT INTO "ledger_entries" VALUES(8,'OPEN','displacement','2026-03-10',1,'2026-03-09T06:00:00Z','{"approvals":[{"signature":"00ff","signer":"officer","statement":{}},{"signature":"00ff","signer":"director","statement":{}}],"event":"flood","onset":"2026-03-10","product":"displacement","schedule":[{"charges":[{"micro_rho":20,"pool":"emergency","privacy_month":"2026-02"},{"micro_rho":10,"pool":"emergency","privacy_month":"2026-03"}],"period":"2026-03-10"},{"charges":[{"micro_rho":20,"pool":"emergency","privacy_month":"2026-02"},{"micro_rho":10,"pool":"emergency","privacy_month":"2026-03"}],"period":"2026-03-11"}]}','b4a665066cca7e9c55da2872f88f5dc2145b0fc5e1a21102b85f0e3c6ed64f35','c33ce998358dc01b78c0f2b767601c179c5835ec572b5558b76b47e12acd3767');
CREATE TABLE ledger_seals (
	product VARCHAR(64) NOT NULL, 
	period VARCHAR(10) NOT NULL, 
	revision INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	inputs_sha256 VARCHAR(64) NOT NULL, 
	nonce VARCHAR(64) NOT NULL, 
	PRIMARY KEY (product, period, revision), 
	UNIQUE (position), 
	FOREIGN KEY(position) REFERENCES ledger_entries (position)
);
INSERT INTO "ledger_seals" VALUES('od_trips','2026-W10',1,2,'32381523e63197c929b67f793a8098bed0ae3a6fa902634fdbcc6fa4567f3346','0800902ae19089aad5985f2ed66662db6581448d319a0d3cdd5454e8232c3866');
INSERT INTO "ledger_seals" VALUES('od_trips','2026-W11',1,6,'32381523e63197c929b67f793a8098bed0ae3a6fa902634fdbcc6fa4567f3346','3a2613c26002a1ce90c8795132c3eeb015144bff5c19b1fc2554e37fe3aa73e1');
CREATE INDEX ledger_entries_release ON ledger_entries (product, period, revision);
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_entries_no_replace BEFORE INSERT ON ledger_entries WHEN EXISTS (SELECT 1 FROM ledger_entries WHERE (entry_hash = NEW.entry_hash) OR (position = NEW.position) OR (prev_hash = NEW.prev_hash)) BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE INDEX ledger_charges_month ON ledger_charges (pool, privacy_month);
CREATE TRIGGER ledger_charges_no_update BEFORE UPDATE ON ledger_charges BEGIN SELECT RAISE(ABORT, 'ledger_charges is append-only'); END;
CREATE TRIGGER ledger_charges_no_delete BEFORE DELETE ON ledger_charges BEGIN SELECT RAISE(ABORT, 'ledger_charges is append-only'); END;
CREATE TRIGGER ledger_charges_no_replace BEFORE INSERT ON ledger_charges WHEN EXISTS (SELECT 1 FROM ledger_charges WHERE (product = NEW.product AND period = NEW.period AND revision = NEW.revision AND pool = NEW.pool AND privacy_month = NEW.privacy_month)) BEGIN SELECT RAISE(ABORT, 'ledger_charges is append-only'); END;
CREATE TRIGGER ledger_seals_no_update BEFORE UPDATE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger_seals is append-only'); END;
CREATE TRIGGER ledger_seals_no_delete BEFORE DELETE ON ledger_seals BEGIN SELECT RAISE(ABORT, 'ledger_seals is append-only'); END;
CREATE TRIGGER ledger_seals_no_replace BEFORE INSERT ON ledger_seals WHEN EXISTS (SELECT 1 FROM ledger_seals WHERE (position = NEW.position) OR (product = NEW.product AND period = NEW.period AND revision = NEW.revision)) BEGIN SELECT RAISE(ABORT, 'ledger_seals is append-only'); END;
COMMIT;
