#!/usr/bin/perl

# Access tokens: one exchange at the token endpoint for all that wait, kept,
# renewed ahead of its end; what happens when the endpoint fails; tokens from
# a file.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use MIME::Base64 qw(decode_base64url);
use Test::More;

needs_module();

my $dir = File::Temp->newdir('ai-proxy-token-XXXXXX', TMPDIR => 1);
chmod 0755, "$dir";
sub run { system("$_[0] >$dir/openssl.log 2>&1") == 0 or die "failed: $_[0]" }
run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 "
    . "-out $dir/key.pem");
run("openssl pkey -in $dir/key.pem -pubout -out $dir/public.pem");
my $pem = Gateway::slurp("$dir/key.pem");

sub write_to {
    my ($name, $text) = @_;
    open my $out, '>', "$dir/$name.new" or die $!;
    print $out $text;
    close $out;
    rename "$dir/$name.new", "$dir/$name" or die $!;
    return "$dir/$name";
}

sub token { return { json => { access_token => "sk-secret-token-$_[0]",
    expires_in => $_[1] // 3600, token_type => 'Bearer' } } }

my $gemini = { json => { candidates => [{ content => { role => 'model',
    parts => [{ text => 'hello' }] }, finishReason => 'STOP' }],
    usageMetadata => { promptTokenCount => 1, candidatesTokenCount => 2,
        totalTokenCount => 3 } } };
my %bad = (
    refused401 => { status => 401, json => { error => 'invalid_grant',
        error_description => 'sk-secret-description' } },
    broken500 => { status => 500, body => 'oops' },
    garbage => { fail => 'garbage' },
    closed => { fail => 'close' },
    no_json => { body => 'sk-secret-nonsense' },
    no_token => { json => { token_type => 'Bearer' } },
    cut => { body => '{"access_token":"sk-secret-half"}', cut => 10,
        then => 'close' },
    huge => { body => 'x' x 100_000 },
    late => { fail => 'stall' },
);
my $up = Upstream->start(
    tls => 1,
    ok => $gemini,
    reject => { status => 401, json => { error => { code => 401,
        message => 'no', status => 'UNAUTHENTICATED' } } },
    plain => { json => chat_answer('from the other') },
    first => token('first'),
    chunked => { %{ token('chunked') }, framing => 'chunked' },
    ended => { %{ token('ended') }, framing => 'close' },
    safe => token('safe'),
    shared => { events => ['raw:' . encode(token('shared')->{json})],
        gate => 0 },
    ahead => [token('ahead-1', 10), token('ahead-2', 3600)],
    expired => [map { token("expired-$_", 0) } 1 .. 3],
    left => { events => ['raw:' . encode(token('left')->{json})], gate => 0 },
    dropped => [map { token("dropped-$_") } 1 .. 3],
    %bad,
);

my $vertex = sub {
    my ($name, $url, $back, @lines) = @_;
    my $file = write_to("$name.json", encode({
        type => 'service_account', project_id => 'my-project',
        private_key_id => 'key-1', private_key => $pem,
        client_email => 'robot@my-project.iam.gserviceaccount.com',
        token_uri => $url }));
    return provider($name => vertex => $up->url($back), 'api_token none;',
        "vertex_auth_key file:$file;", 'vertex_region us-central1;',
        $bad{$name} ? 'timeout connect=2s first_byte=1s;' : (),
        'model_map * gemini-2.5-flash;', @lines) =~ s/api_token none;//r;
};
my @good = qw(first chunked ended shared expired left);
my $entra = write_to('entra', "sk-secret-entra-1\n");
my $http = zone()
    . join('', map { $vertex->($_, $up->url($_, '/token'), 'ok') } @good)
    . $vertex->('safe', $up->tls_url('safe', '/token'), 'ok',
        'ssl_trusted_certificate ' . $up->ca . ';')
    . $vertex->('untrusted', $up->tls_url('safe', '/token'), 'ok')
    . $vertex->('ahead', $up->url('ahead', '/token'), 'ok',
        'vertex_token_refresh_ahead 20s;')
    . $vertex->('dropped', $up->url('dropped', '/token'), 'reject')
    . join('', map { $vertex->($_, $up->url($_, '/token'), 'ok') }
        sort keys %bad)
    . $vertex->('nobody', 'http://127.0.0.1:' . Gateway::free_port(), 'ok')
    . provider(other => openai => $up->url('plain'))
    . "ai_proxy_route behind {\n provider refused401;\n fallback other;\n}\n"
    . provider(entra => azure => $up->url('plain', '/openai/v1'),
        'api_token none;', "azure_token_file $entra;")
        =~ s/\s*api_token none;//r
    . provider(no_file => azure => $up->url('plain', '/openai/v1'),
        'api_token none;', "azure_token_file $dir/missing;")
        =~ s/\s*api_token none;//r
    . "log_format e '\$ai_proxy_provider \$status \$ai_proxy_error';\n";
my @names = ($http =~ /ai_proxy_(?:provider|route) (\w+) \{/g);
my $gw = Gateway->start(http => $http, access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);

sub chat {
    my ($name, %fields) = @_;
    return $gw->client->post("/$name/v1/chat/completions",
        chat_body(%fields));
}
sub exchanges { return scalar(my @all = $up->requests($_[0])) }
sub bearer { return Upstream::header($up->last_request('ok'), 'authorization') }

###############################################################################

my $reply = chat('first');
is($reply->{status}, 200, 'a first call') or $gw->show_logs;
is(Client::text($reply), 'hello', 'with its answer');
is(bearer(), 'Bearer sk-secret-token-first', 'has the token');
like($up->last_request('ok')->{path} // $up->last_request('ok')->{target},
    qr{/v1/projects/my-project/locations/us-central1/publishers/google/
        models/gemini-2\.5-flash:generateContent$}x,
    'the project comes from the key');
chat('first') for 1 .. 3;
is(exchanges('first'), 1, 'the token is kept');

my $asked = $up->last_request('first');
is(Upstream::header($asked, 'content-type'),
    'application/x-www-form-urlencoded', 'the exchange is a form');
my ($grant, $assertion) =
    $asked->{body} =~ /^grant_type=([^&]+)&assertion=([\w.-]+)$/;
is($grant, 'urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer',
    'of the right kind');
my ($head, $claims, $signature) = split /\./, $assertion // '';
is(decode(decode_base64url($head))->{kid}, 'key-1', 'it names the key');
my $said = decode(decode_base64url($claims));
is($said->{aud}, $up->url('first', '/token'), 'and the endpoint');
is($said->{exp} - $said->{iat}, 3600, 'it holds for an hour');
write_to('signed', "$head.$claims");
write_to('signature', decode_base64url($signature));
is(system("openssl dgst -sha256 -verify $dir/public.pem "
    . "-signature $dir/signature $dir/signed >/dev/null 2>&1"), 0,
    'and the key has signed it');

for my $framing (qw(chunked ended)) {
    is(chat($framing)->{status}, 200, "an answer that is $framing");
    is(bearer(), "Bearer sk-secret-token-$framing", 'is read');
}
is(chat('safe')->{status}, 200, 'an endpoint with TLS');
is(bearer(), 'Bearer sk-secret-token-safe', 'is asked');
check_error(chat('untrusted'), 502, undef, 'a certificate nobody trusts');

# Many at once: one exchange.
my @clients = map { $gw->client->send('POST', '/shared/v1/chat/completions',
    chat_body()) } 1 .. 8;
$gw->until(sub { exchanges('shared') == 1 });
$up->open_gate('shared');
Client::finish_all(15, @clients);
is(scalar(grep { $_->{reply}{status} == 200 } @clients), 8,
    'eight that wait are all served') or $gw->show_logs;
is(exchanges('shared'), 1, 'by one exchange');

# Ahead of its end the old token serves on while the new one is fetched.
is(chat('ahead')->{status}, 200, 'a token that soon ends');
is(bearer(), 'Bearer sk-secret-token-ahead-1', 'is used');
chat('ahead');
is(bearer(), 'Bearer sk-secret-token-ahead-1', 'once more');
ok($gw->until(sub { exchanges('ahead') == 2 }), 'while it is renewed');
ok($gw->until(sub { chat('ahead');
    bearer() eq 'Bearer sk-secret-token-ahead-2' }), 'and then the new one');
is(exchanges('ahead'), 2, 'which was asked for once');

chat('expired') for 1 .. 2;
is(exchanges('expired'), 2, 'a token that has ended is not used again');
is(bearer(), 'Bearer sk-secret-token-expired-2', 'but a new one');

###############################################################################

for my $name (sort(keys %bad), 'nobody') {
    my $reply = chat($name);
    my $error = check_error($reply, 502, undef, "the endpoint: $name");
    like($error->{message}, qr/access token/, 'the client is told');
    unlike($reply->{body}, qr/sk-secret/, 'no secret');
}
like($gw->error_log, qr/"refused401":\ no\ access\ token:\ the\ token\ endpoint
    \ answered\ status\ 401\ \(invalid_grant\)/x, 'the log says why');
$reply = chat('behind');
is(Client::text($reply), 'from the other', 'a fallback takes over');

# Clients that leave while they wait.
my @leaving = map { $gw->client->send('POST', '/left/v1/chat/completions',
    chat_body()) } 1 .. 3;
$gw->until(sub { exchanges('left') == 1 });
my $staying = $gw->client->send('POST', '/left/v1/chat/completions',
    chat_body());
$leaving[0]->close;
$leaving[1]->reset;
select undef, undef, undef, 0.2;
$up->open_gate('left');
is($staying->finish->{status}, 200, 'one stays while others leave');
is($leaving[2]->finish->{status}, 200, 'and another');
is(exchanges('left'), 1, 'the exchange was not repeated');

# All leave: the token is there for the next.
$up->clear;
$up->behave(shared => { events => ['raw:{}'], gate => 0 });

chat('dropped') for 1 .. 2;
is(exchanges('dropped'), 2, 'a token the provider refuses is not kept');

###############################################################################

my $key = sub { Upstream::header($up->last_request('plain'), $_[0]) };
is(chat('entra')->{status}, 200, 'a token from a file');
is($key->('authorization'), 'Bearer sk-secret-entra-1', 'is sent');
is($key->('api-key'), undef, 'instead of a key');
check_error(chat('no_file'), 502, undef, 'a file that is missing');

write_to('entra', "sk-secret-entra-2\n");
$gw->reload;
ok($gw->until(sub { chat('entra');
    $key->('authorization') eq 'Bearer sk-secret-entra-2' }),
    'what its owner writes is read');
my $before = exchanges('first');
is(chat('first')->{status}, 200, 'after a reload');
is(exchanges('first'), $before + 1, 'new workers ask for a token again');

# What cannot work fails at start.
for my $case (
    ['{', qr/invalid "vertex_auth_key": the service account key is no JSON/],
    [encode({ client_email => 'a', private_key => 'sk-secret-pem' }),
        qr/"private_key" of the service account key is no RSA key/],
    [encode({ client_email => 'a', private_key => $pem, token_uri => 'x' }),
        qr/"token_uri" is no URL/],
) {
    my ($text, $says) = @$case;
    my $file = write_to('bad.json', $text);
    my $bad = Gateway->new(http => zone()
        . "ai_proxy_provider v { type vertex; vertex_region global;\n"
        . "vertex_project_id p;\n vertex_auth_key file:$file; }\n",
        server => "location / { ai_proxy_pass v; }\n");
    my ($status, $told) = $bad->check;
    isnt($status, 0, 'a bad key fails the check');
    like($told, $says, 'and is named');
    like($told, qr/nginx\.conf:\d+/, 'with its line');
    unlike($told, qr/sk-secret|BEGIN/, 'but not shown');
}

done($gw, $up);
